// Writes test/vectors/wire/ anew, for a new version of the wire. NAME.hex is what the C encoder writes. NAME.txt is
// what the decoder, which is tested, makes of it, so read the difference line by line before you commit it.
//
//   cc -std=gnu11 -Ibuild test/wire/encode.c preload/send/wire.c preload/send/sha256.c -o build/encode
//   node dist/test/support/make-wire-vectors.js build/encode

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { frameName } from "../../runtime/memdb/wire.js";
import { dump } from "../../runtime/memdb/wiredump.js";

const FRAME_HEAD_BYTES = 8;
const LINE_BYTES = 32;

/** One comment for each frame, its head on a line of its own. */
function hexOf(stream: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + FRAME_HEAD_BYTES + stream.readUInt32LE(at);
    const name = frameName(stream.readUInt32LE(at + 4));
    lines.push(`# ${at.toString(16).padStart(6, "0")} ${name}, ${end - at - FRAME_HEAD_BYTES} bytes`);
    for (let from = at, to = at + FRAME_HEAD_BYTES; from < end; from = to, to += LINE_BYTES)
      lines.push(stream.toString("hex", from, Math.min(to, end)));
    at = end;
  }
  return `${lines.join("\n")}\n`;
}

for (const name of ["handshake", "session"]) {
  const { stdout } = spawnSync(process.argv[2]!, [name]);
  const path = (ending: string) => new URL(`../../../test/vectors/wire/${name}.${ending}`, import.meta.url);
  writeFileSync(path("hex"), hexOf(stdout));
  writeFileSync(path("txt"), [...dump([stdout])].join(""));
}
