// A process that makes its own store, and allocates and frees in it until it is killed, in the order of writes that
// asm/FORMAT.md promises. Every record's size and thread follow from its time, so a reader can recognise a mixed-up
// record.
//
//   node dist/test/support/store-writer.js STORE      prints a line when the store is there

import { openSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as L from "../../asm/layout.js";
import { StoreBuilder } from "./store-builder.js";
import { ownIdentity } from "./stores.js";

/** Records that are never freed; their addresses are below CHURNING. */
export const STABLE = 3000;
export const CHURNING = 0x7000_0000n;
const SLOTS = 500;

export function sizeOf(time: bigint): number {
  return Number((time * 7919n) % 100_003n);
}

export function threadOf(time: bigint): number {
  return Number((time * 31n) % 1000n) + 1;
}

function main(path: string): void {
  const builder = new StoreBuilder(ownIdentity());
  const frame = builder.frame(builder.module("/app"), 1n);
  const stack = builder.stack([frame]);
  // Slots that churn, between ones that stay.
  const churning: number[] = [];
  for (let i = 0; i < STABLE + SLOTS; i++) {
    if (i % 7 === 0 && churning.length < SLOTS) churning.push(builder.freeSlot());
    else {
      const time = BigInt(i);
      builder.record({ address: BigInt(16 * (i + 1)), size: sizeOf(time), time, thread: threadOf(time), stack });
    }
  }
  builder.write(path);
  const file = openSync(path, "r+");
  const header = Buffer.from(builder.image().subarray(0, L.BLOCK_BYTES));
  let start = 0;
  for (let block = 1; block < header.readUInt32LE(L.HEADER_BLOCK_COUNT); block++) {
    const entry = header.readUInt32LE(L.BLOCK_TABLE_OFFSET + 4 * block);
    if (entry === L.KIND_RECORDS << L.BLOCK_ENTRY_KIND_SHIFT) start = block * L.BLOCK_BYTES;
  }
  const word = Buffer.alloc(8);
  const write = (value: bigint, position: number) => {
    word.writeBigUInt64LE(value);
    writeSync(file, word, 0, 8, position);
  };
  process.stdout.write("ready\n");
  for (let time = 10_000_000n; ; time++) {
    const slot = churning[Number(time) % churning.length]!;
    const at = start + slot * L.RECORD_BYTES;
    write(0n, at + L.RECORD_ADDRESS);
    write(BigInt(sizeOf(time)), at + L.RECORD_SIZE);
    write(time, at + L.RECORD_TIME);
    write(BigInt(threadOf(time)) | (BigInt(stack) << 32n), at + L.RECORD_THREAD);
    write(CHURNING + BigInt(slot) * 0x1000n, at + L.RECORD_ADDRESS);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv[2]!);
