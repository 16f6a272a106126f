// Programs whose linker made no .eh_frame_hdr: their frame information is found by the file's sections, read one
// description after the other, and no more to be trusted than any other.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { assertTable, expectations, readReport } from "../support/expectations.js";
import { build, compiler, noCompiler, runWell } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";
import { randomNumbers } from "../support/stores.js";

const folder = temporaryFolder();
const skip = noCompiler || (compiler("gcc").name !== "gcc" && "Zig's linker always makes the table");
const program = () => build("leaks.c", { compiler: compiler("gcc"), flags: ["-Wl,--no-eh-frame-hdr"] });

/** Where a section is in an ELF file of 64 bits. */
function section(elf: Buffer, name: string): { header: number; offset: number; bytes: number } {
  const u64 = (at: number) => Number(elf.readBigUInt64LE(at));
  const headers = Array.from({ length: elf.readUInt16LE(60) }, (_, i) => u64(40) + i * 64);
  const names = u64(headers[elf.readUInt16LE(62)]! + 24);
  const header = headers.find((at) => elf.toString("latin1", names + elf.readUInt32LE(at)).startsWith(`${name}\0`));
  assert.ok(header !== undefined, `no ${name}`);
  return { header, offset: u64(header + 24), bytes: u64(header + 32) };
}

test("stacks go out to main without a search table", { skip }, async () => {
  const store = join(folder, "whole.mem");
  assert.throws(() => section(readFileSync(program()), ".eh_frame_hdr"), { message: "no .eh_frame_hdr" });
  const { stdout } = await runWell(program(), [], { store });
  const report = await readReport(store);
  assertTable(report, expectations("leaks.c"), stdout, program());
  for (const { stack } of report.allocations) assert.ok(stack.some((frame) => frame.function === "main"));
});

test("damaged frame information or sections: the program does not notice, every block is recorded", {
  skip,
}, async () => {
  const whole = readFileSync(program());
  const damaged = join(folder, "damaged");
  const { header, offset, bytes } = section(whole, ".eh_frame");
  const random = randomNumbers(7);
  for (let turn = 0; turn < 60; turn++) {
    const elf = Buffer.from(whole);
    if (turn < 50) for (let i = 0; i < 1 + (turn % 5); i++) elf[offset + random(bytes)] = random(256);
    else for (let i = 0; i < 8; i++) elf[header + 16 + random(24)] = random(256);
    writeFileSync(damaged, elf);
    chmodSync(damaged, 0o755);
    const store = join(folder, `damaged-${turn}.mem`);
    await runWell(damaged, [], { store });
    const { totals } = await readReport(store);
    assert.deepEqual([totals.liveCount, totals.dropped], [18, 0], `turn ${turn}`);
  }
});
