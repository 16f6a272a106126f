// memdb dump: shows a recorded stream as text.

import { closeSync, openSync, readSync } from "node:fs";
import { dump as text } from "../../runtime/memdb/wiredump.js";
import { defineCommand, UsageError } from "../arguments.js";
import { print } from "../output.js";
import { helpOption } from "../shared-options.js";

const PIECE = 65536;

export const dump = defineCommand({
  meta: { name: "dump", description: "shows a recorded stream, frame by frame, as memdb would understand it" },
  usage: ["FILE|-"],
  args: {
    file: {
      type: "positional",
      required: false,
      description: "What one side of a connection sent; - is standard input",
    },
    ...helpOption,
  },
  examples: [
    [
      "socat -r stream TCP-LISTEN:20016,fork TCP:127.0.0.1:20015",
      "record what a program sends, started with MEMHOOK_NET_PORT=20016",
    ],
    ["memdb dump stream", "and look at the recording"],
  ],
  exits: [
    ["0", "memdb understands the stream"],
    ["2", "memdb would have refused it; the last line says why"],
  ],
  async run({ args }) {
    if (args.file === undefined) throw new UsageError("dump needs a file: memdb dump FILE, or - for standard input");
    let wrong = false;
    const file = args.file;
    print(
      (function* () {
        wrong = (yield* text(pieces(file))) !== undefined;
      })(),
    );
    return wrong ? 2 : 0;
  },
});

function* pieces(path: string): Generator<Uint8Array> {
  let file: number;
  try {
    file = path === "-" ? 0 : openSync(path, "r");
  } catch (error) {
    throw new UsageError(`${path}: cannot be read: ${(error as Error).message}`);
  }
  try {
    const buffer = new Uint8Array(PIECE);
    for (let bytes = read(file, buffer); bytes > 0; bytes = read(file, buffer)) yield buffer.subarray(0, bytes);
  } finally {
    if (file !== 0) closeSync(file);
  }
}

function read(file: number, buffer: Uint8Array): number {
  for (;;) {
    try {
      return readSync(file, buffer);
    } catch (error) {
      const { code } = error as { code?: string };
      // Some systems tell the end of a pipe this way.
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      // Somebody made the pipe non-blocking and it is empty: look again in a millisecond.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
