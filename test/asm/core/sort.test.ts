// Sorting and keeping the largest: lists of records whose keys are equal as often as not, so that every tie-break
// counts, in lengths around the borders of the algorithms. A plain sort is the other opinion.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../../asm/layout.js";
import { Core } from "../../../runtime/stores/core.js";
import { putRecord, type RecordFields } from "../../support/store-fields.js";
import { coreBuilds, randomNumbers } from "../../support/stores.js";

const PIECE_RECORDS = L.BLOCK_BYTES / L.RECORD_BYTES;
/** Entries that memory grows by, in asm/core/entries.ts. */
const STEP = 32768;
const ALL = 0xffffffff;

type Keys = [address: number, size: number, time: number];

/** What the core makes of a list of records. */
function sorted(core: Core, records: Keys[], order: "TIME" | "SIZE" | "ADDRESS", top = ALL): Keys[] {
  const { call, constant } = core;
  call.releaseAll();
  call.beginEntries(top);
  call.beginScan(constant.COLLECT_ENTRIES, constant[`ORDER_${order}`], 0);
  for (let first = 0; first < records.length; first += PIECE_RECORDS) {
    const piece = records.slice(first, first + PIECE_RECORDS);
    const { view } = core;
    for (const [i, [address, size, time]] of piece.entries()) {
      const fields: RecordFields = { address: BigInt(address), size, time: BigInt(time), kind: size % 3, stack: 0 };
      putRecord(view, constant.PIECE + i * L.RECORD_BYTES, fields);
    }
    core.checked(call.scan(first, piece.length, 1));
  }
  const rows = core.address(call.recordRows(constant[`ORDER_${order}`]));
  return Array.from({ length: call.entriesLength() }, (_, i) => {
    const row = rows + i * L.RECORD_BYTES;
    const sizeAndKind = core.view.getBigUint64(row + L.RECORD_SIZE, true);
    const size = Number(BigInt.asUintN(L.RECORD_KIND_SHIFT, sizeAndKind));
    assert.equal(Number(sizeAndKind >> BigInt(L.RECORD_KIND_SHIFT)), size % 3, "the kind went along");
    const address = Number(core.view.getBigUint64(row + L.RECORD_ADDRESS, true));
    return [address, size, Number(core.view.getBigUint64(row + L.RECORD_TIME, true))];
  });
}

const keys = { TIME: [2, 0, 1], SIZE: [1, 2, 0], ADDRESS: [0, 2, 1] } as const;

function plain(records: Keys[], order: keyof typeof keys): Keys[] {
  const [first, second, third] = keys[order];
  return [...records].sort((a, b) => a[first] - b[first] || a[second] - b[second] || a[third] - b[third]);
}

function randomRecords(length: number, variety: number, seed: number): Keys[] {
  const random = randomNumbers(seed);
  return Array.from({ length }, () => [1 + random(variety), random(variety), random(variety)]);
}

for (const [build, module] of Object.entries(coreBuilds)) {
  test(`every length, order and number of largest (${build})`, () => {
    const core = new Core(module, "a.store");
    for (const length of [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 64, 65, 100, 1000]) {
      for (const variety of [2, 7, 1000]) {
        const records = randomRecords(length, variety, length + variety);
        for (const order of ["TIME", "SIZE", "ADDRESS"] as const) {
          const expected = plain(records, order);
          assert.deepEqual(sorted(core, records, order), expected, `${length} by ${order}`);
          for (const top of [0, 1, 2, 5, 16, 100]) {
            const largest = expected.slice(Math.max(0, length - top));
            assert.deepEqual(sorted(core, records, order, top), largest, `${top} of ${length} by ${order}`);
          }
        }
      }
    }
  });
}

test("more entries than the memory is grown for at once", () => {
  const core = new Core(coreBuilds.debug, "a.store");
  const records = randomRecords(3 * STEP + 17, 60, 1);
  assert.deepEqual(sorted(core, records, "SIZE"), plain(records, "SIZE"));
  assert.deepEqual(sorted(core, records, "SIZE", STEP + 1), plain(records, "SIZE").slice(-STEP - 1));
});

test("numbers of 64 bits are compared without sign", () => {
  const core = new Core(coreBuilds.release, "a.store");
  const { call, constant } = core;
  call.beginEntries(ALL);
  call.beginScan(constant.COLLECT_ENTRIES, constant.ORDER_TIME, 0);
  const times = [1n << 63n, 5n, (1n << 64n) - 1n, (1n << 63n) - 1n, 0n];
  for (const [i, time] of times.entries()) {
    putRecord(core.view, constant.PIECE + i * L.RECORD_BYTES, { address: (1n << 64n) - 1n, size: 1, time });
  }
  core.checked(call.scan(0, times.length, 1));
  const rows = core.address(call.recordRows(constant.ORDER_TIME));
  const got = times.map((_, i) => core.view.getBigUint64(rows + i * L.RECORD_BYTES + L.RECORD_TIME, true));
  assert.deepEqual(got, [0n, 5n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n]);
});
