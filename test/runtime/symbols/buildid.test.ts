// The build id among the notes of a file.

import assert from "node:assert/strict";
import { test } from "node:test";
import { buildIdIn } from "../../../runtime/symbols/buildid.js";
import { note } from "../../support/elf-edit.js";

function find(bytes: Buffer, align = 4): string {
  const read = (target: Uint8Array, offset: number) => bytes.copy(target, 0, offset) === target.length;
  return Buffer.from(buildIdIn(read, 0, bytes.length, align) ?? []).toString("hex");
}

/** A note whose header says something else. */
function lying(bytes: Buffer, [nameBytes, idBytes]: readonly [number, number]): Buffer {
  const result = Buffer.from(bytes);
  result.writeUInt32LE(nameBytes, 0);
  result.writeUInt32LE(idBytes, 4);
  return result;
}

const content = Buffer.from([1, 2, 3, 4, 5]);
const ID = content.toString("hex");
const id = note("GNU", 3, content);
const other = note("GNU", 5, Buffer.alloc(2));

for (const [what, bytes, expected] of [
  ["alone", id, ID],
  ["without its padding", id.subarray(0, -3), ID],
  ["behind other notes", Buffer.concat([note("stapsdt", 3, content), note("GNU", 1, content), id]), ID],
  ["behind a large note", Buffer.concat([note("Big", 1, Buffer.alloc(3 << 20)), id]), ID],
  ["behind 500 notes", Buffer.concat([...Array(500).fill(other), id]), ID],
  ["behind an empty one", Buffer.concat([note("GNU", 3, Buffer.alloc(0)), id]), ID],
  ["as long as any", note("GNU", 3, Buffer.alloc(64, 1)), "01".repeat(64)],
  ["longer than any", note("GNU", 3, Buffer.alloc(65, 1)), ""],
  ["of no bytes", note("GNU", 3, Buffer.alloc(0)), ""],
  ["of another type", other, ""],
  ["of another owner", note("GNV", 3, content), ""],
  ["longer than the rest", lying(id, [4, 1000]), ""],
  ["with an endless name", lying(id, [0xffffffff, 5]), ""],
  ["behind an endless name", Buffer.concat([lying(id, [0xfffffffe, 1]), id]), ""],
] as const) {
  test(`a build id among notes: ${what}`, () => assert.equal(find(bytes), expected));
}

test("a build id among notes that are padded to 8 bytes", () => {
  const notes = Buffer.concat([note("GNU", 5, content, 8), note("Some", 3, content, 8), note("GNU", 3, content, 8)]);
  assert.equal(find(notes, 8), ID);
});

test("a build id that is cut off", () => {
  for (let bytes = 0; bytes < id.length - 3; bytes++) assert.equal(find(id.subarray(0, bytes)), "");
});
