// Debug information written by hand, for what the compilers at hand do not write: files that dwz made, code that the
// linker dropped, and damage of a certain kind.

import assert from "node:assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { CodeLocation } from "../../../runtime/host/types.js";
import { Symbolizer } from "../../../runtime/symbols/symbolize.js";
import { after } from "../../support/after.js";
import { elf, type FakeElf } from "./symbolize-elf.js";

const folder = mkdtempSync(join(tmpdir(), "memhook-dwarf-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const PROGRAM_ID = Uint8Array.of(1, 2, 3, 4);
const SHARED_ID = Uint8Array.of(0xaa, 0xbb, 0xcc, 0xdd);

// Tags, attributes and forms of DWARF that are used below.
const COMPILE_UNIT = 0x11;
const INLINED_SUBROUTINE = 0x1d;
const SUBPROGRAM = 0x2e;
const PARTIAL_UNIT = 0x3c;
const SIBLING = 0x01;
const NAME = 0x03;
const LOW_PC = 0x11;
const STMT_LIST = 0x10;
const HIGH_PC = 0x12;
const COMP_DIR = 0x1b;
const ABSTRACT_ORIGIN = 0x31;
const RANGES = 0x55;
const CALL_LINE = 0x59;
const LINKAGE_NAME = 0x6e;
const ADDR = 0x01;
const DATA4 = 0x06;
const STRING = 0x08;
const DATA1 = 0x0b;
const STRP = 0x0e;
const REF4 = 0x13;
const SEC_OFFSET = 0x17;
const GNU_REF_ALT = [0xa0, 0x3e];
const GNU_STRP_ALT = [0xa1, 0x3e];
const GNU_DWO_NAME = [0xb0, 0x42];

const u16 = (value: number) => [value & 0xff, value >> 8];
const u32 = (value: number) => [...u16(value & 0xffff), ...u16(value >>> 16)];
const u64 = (value: number) => [...u32(value >>> 0), ...u32(Math.floor(value / 2 ** 32))];
const text = (value: string) => [...Buffer.from(value), 0];

/** Abbreviations: a tag, whether there are children, pairs of attribute and form. */
function abbreviations(...declarations: [tag: number, children: boolean, ...attributes: (number | number[])[]][]) {
  const bytes = declarations.flatMap(([tag, children, ...attributes], index) => {
    return [index + 1, tag, children ? 1 : 0, ...attributes.flat(), 0, 0];
  });
  return Uint8Array.from([...bytes, 0]);
}

/** A unit of DWARF 4 with 64-bit addresses. */
function unit(...entries: number[][]): Uint8Array {
  const body = [...u16(4), ...u32(0), 8, ...entries.flat()];
  return Uint8Array.from([...u32(body.length), ...body]);
}

async function look(more: FakeElf, addresses: number[]) {
  const path = join(folder, "program");
  writeFileSync(path, elf({ symbols: [], buildId: PROGRAM_ID, ...more }));
  const nothing = { bias: 0n, start: 0n, end: 0n, loaded: 0n, unloaded: 0n, executable: true, vdso: false };
  const module = { id: 1, path, buildId: PROGRAM_ID, file: null, ...nothing };
  const symbolizer = new Symbolizer({ debugFolders: [], environment: {} });
  const found = await symbolizer.symbolize(
    addresses.map((address) => ({ module, offset: BigInt(address), exact: true })),
  );
  symbolizer.close();
  return { found, notes: symbolizer.notes.map((note) => note.replace(`${path}: `, "")) };
}

const functions = (found: CodeLocation[][]) => found.map((locations) => locations.map((location) => location.function));

test("names that dwz moved to a shared file", async () => {
  const shared = join(folder, "shared.debug");
  const strings = [...text(""), ...text("_Z6sharedv"), ...text("main")];
  const sharedUnit = unit([1], [2, ...u32(1)], [0]);
  writeFileSync(
    shared,
    elf({
      buildId: SHARED_ID,
      sections: {
        ".debug_info": sharedUnit,
        ".debug_abbrev": abbreviations([PARTIAL_UNIT, true], [SUBPROGRAM, false, LINKAGE_NAME, STRP]),
        ".debug_str": Uint8Array.from(strings),
      },
    }),
  );
  const program: FakeElf = {
    sections: {
      ".gnu_debugaltlink": Uint8Array.from([...text("shared.debug"), ...SHARED_ID]),
      ".debug_abbrev": abbreviations(
        [COMPILE_UNIT, true, LOW_PC, ADDR, HIGH_PC, DATA4],
        [SUBPROGRAM, true, NAME, GNU_STRP_ALT, LOW_PC, ADDR, HIGH_PC, DATA4],
        [INLINED_SUBROUTINE, false, ABSTRACT_ORIGIN, GNU_REF_ALT, LOW_PC, ADDR, HIGH_PC, DATA4, CALL_LINE, DATA1],
      ),
      ".debug_info": unit(
        [1, ...u64(0x1000), ...u32(0x100)],
        [2, ...u32(12), ...u64(0x1000), ...u32(0x100)],
        [3, ...u32(12), ...u64(0x1010), ...u32(0x10), 7],
        [0, 0],
      ),
    },
  };
  const { found, notes } = await look(program, [0x1008, 0x1018, 0x1100]);
  assert.deepStrictEqual(functions(found), [["main"], ["_Z6sharedv", "main"], [null]]);
  assert.strictEqual(found[1]![1]!.line, 7);
  assert.deepStrictEqual(notes, []);
  // Without that file, or with one of another build, the names are unknown and a note says why.
  writeFileSync(shared, elf({ buildId: PROGRAM_ID }));
  for (let i = 0; i < 2; i++) {
    const without = await look(program, [0x1018]);
    assert.deepStrictEqual(functions(without.found), [[null, null]]);
    assert.deepStrictEqual(without.notes, [
      "some names are in a debug file shared with others (dwz), which is missing",
    ]);
    rmSync(shared, { force: true });
  }
});

test("code that the linker dropped hides nothing", async () => {
  // Two functions whose low_pc the linker left at 0, larger than what lies in front of .text.
  const dropped = [2, ...text("dropped"), ...u64(0), ...u32(0x2000)];
  const { found, notes } = await look(
    {
      sections: {
        ".debug_abbrev": abbreviations(
          [COMPILE_UNIT, true, RANGES, SEC_OFFSET, LOW_PC, ADDR],
          [SUBPROGRAM, false, NAME, STRING, LOW_PC, ADDR, HIGH_PC, DATA4],
        ),
        ".debug_ranges": Uint8Array.from([
          ...[...u64(0), ...u64(0x2000), ...u64(0x1000), ...u64(0x1100), ...u64(0), ...u64(0)],
        ]),
        ".debug_info": unit(
          [1, ...u32(0), ...u64(0)],
          dropped,
          [2, ...text("kept"), ...u64(0x1000), ...u32(0x100)],
          dropped,
          [0],
        ),
      },
    },
    [0x1000, 0x10ff, 0x1100],
  );
  assert.deepStrictEqual(functions(found), [["kept"], ["kept"], [null]]);
  assert.deepStrictEqual(notes, []);
});

test("abbreviations in any order, with gaps", async () => {
  const range = [LOW_PC, ADDR, HIGH_PC, DATA4, 0, 0];
  const { found, notes } = await look(
    {
      sections: {
        ".debug_abbrev": Uint8Array.from([
          ...[200, 1, COMPILE_UNIT, 1, ...range],
          ...[2, SUBPROGRAM, 0, NAME, STRING, ...range],
          0,
        ]),
        ".debug_info": unit(
          [200, 1, ...u64(0x1000), ...u32(0x100)],
          [2, ...text("found"), ...u64(0x1000), ...u32(0x80)],
          [0],
        ),
      },
    },
    [0x1000, 0x1080],
  );
  assert.deepStrictEqual(functions(found), [["found"], [null]]);
  assert.deepStrictEqual(notes, []);
});

test("of two pieces of a line table that have an address, the one that begins nearer counts", async () => {
  // Extended: set_address; advance_line, copy; advance_pc; extended: end_sequence.
  const sequence = (address: number, bytes: number, line: number) => [
    ...[0, 9, 2, ...u64(address)],
    ...[3, line - 1, 1],
    ...[2, (bytes & 0x7f) | 0x80, bytes >> 7],
    ...[0, 1, 1],
  ];
  const wide = sequence(0x1000, 0x100, 10);
  const narrow = sequence(0x1040, 0x20, 20);
  const head = [1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1];
  const paths = [...text("inc"), 0, ...text("a.c"), 1, 0, 0, 0];
  for (const program of [
    [...wide, ...narrow],
    [...narrow, ...wide],
  ]) {
    const body = [...u16(4), ...u32(head.length + paths.length), ...head, ...paths, ...program];
    const { found, notes } = await look(
      {
        sections: {
          ".debug_abbrev": abbreviations([
            COMPILE_UNIT,
            false,
            ...[LOW_PC, ADDR, HIGH_PC, DATA4, STMT_LIST, SEC_OFFSET, COMP_DIR, STRING],
          ]),
          ".debug_info": unit([1, ...u64(0x1000), ...u32(0x100), ...u32(0), ...text("/src")]),
          ".debug_line": Uint8Array.from([...u32(body.length), ...body]),
        },
      },
      [0x1000, 0x103f, 0x1040, 0x105f, 0x1060, 0x10ff, 0x1100],
    );
    assert.deepStrictEqual(
      found.map(([location]) => location!.line),
      [10, 10, 20, 20, 10, 10, null],
    );
    assert.strictEqual(found[0]![0]!.file, "/src/inc/a.c");
    assert.deepStrictEqual(notes, []);
  }
});

test("a sibling that leads backwards, endless ranges and a name that refers to itself end in unknown", async () => {
  const damaged: [FakeElf["sections"], (string | null)[], string[]][] = [
    [
      {
        ".debug_abbrev": abbreviations(
          [COMPILE_UNIT, true, LOW_PC, ADDR, HIGH_PC, DATA4],
          [SUBPROGRAM, true, SIBLING, REF4],
        ),
        ".debug_info": unit([1, ...u64(0x1000), ...u32(0x100)], [2, ...u32(24)], [0, 0]),
      },
      [null],
      ["its debug information is damaged"],
    ],
    [
      {
        ".debug_abbrev": abbreviations([COMPILE_UNIT, true, RANGES, SEC_OFFSET]),
        ".debug_ranges": Uint8Array.from([...u64(0x5000), ...u64(0x6000)]),
        ".debug_info": unit([1, ...u32(0)], [0]),
      },
      [null],
      ["its debug information is damaged"],
    ],
    [
      {
        ".debug_abbrev": abbreviations(
          [COMPILE_UNIT, true, LOW_PC, ADDR, HIGH_PC, DATA4],
          [SUBPROGRAM, false, ABSTRACT_ORIGIN, REF4, LOW_PC, ADDR, HIGH_PC, DATA4],
        ),
        ".debug_info": unit([1, ...u64(0x1000), ...u32(0x100)], [2, ...u32(24), ...u64(0x1000), ...u32(0x100)], [0]),
      },
      [null],
      [],
    ],
    [{ ".debug_info": unit([1], [0]) }, [null], ["its debug information is damaged"]],
    [{ ".debug_info": Uint8Array.from([1, 2, 3]) }, [null], ["its debug information is damaged"]],
  ];
  for (const [index, [sections, names, expected]] of damaged.entries()) {
    const { found, notes } = await look({ sections: sections! }, [0x1010]);
    assert.deepStrictEqual(functions(found), [names], `case ${index}`);
    assert.deepStrictEqual(notes, expected, `case ${index}`);
  }
});

test("damage in the line table leaves the functions alone, and the other way round", async () => {
  const range = [LOW_PC, ADDR, HIGH_PC, DATA4];
  const sections = (lines: number[], entries: number[]) => ({
    ".debug_abbrev": abbreviations(
      [COMPILE_UNIT, true, ...range, STMT_LIST, SEC_OFFSET],
      [SUBPROGRAM, false, NAME, STRING, ...range],
    ),
    ".debug_info": unit([1, ...u64(0x1000), ...u32(0x100), ...u32(0)], entries, [0]),
    ".debug_line": Uint8Array.from([...u32(lines.length), ...lines]),
  });
  const entry = [2, ...text("fine"), ...u64(0x1000), ...u32(0x80)];
  const head = [1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, ...text("/a.c"), 0, 0, 0, 0];
  const program = [0, 9, 2, ...u64(0x1000), 3, 4, 1, 2, 0x80, 1, 0, 1, 1];
  const lines = [...u16(4), ...u32(head.length), ...head, ...program];
  const whole = await look({ sections: sections(lines, entry) }, [0x1010]);
  assert.deepStrictEqual(whole.notes, []);
  assert.deepStrictEqual(whole.found[0], [{ function: "fine", file: "/a.c", line: 5, inlined: false }]);
  const noLines = await look({ sections: sections([...u16(77)], entry) }, [0x1010]);
  assert.deepStrictEqual(noLines.found[0], [{ function: "fine", file: null, line: null, inlined: false }]);
  const noCalls = await look({ sections: sections(lines, [9]) }, [0x1010]);
  assert.deepStrictEqual(noCalls.found[0], [{ function: null, file: "/a.c", line: 5, inlined: false }]);
  for (const { notes } of [noLines, noCalls]) assert.deepStrictEqual(notes, ["its debug information is damaged"]);
});

/** A set of .debug_aranges for the unit at an offset: it has code from 0x1000 to 0x1100. */
function arangesOf(unitAt: number): number[] {
  return [...u32(44), ...u16(2), ...u32(unitAt), 8, 0, ...u32(0), ...[0x1000, 0x100, 0, 0].flatMap(u64)];
}

// Several units say that they have the code at an address: parts of an LTO
// link, what a linker dropped and moved, assembler's.
const knowing = unit([1, ...u64(0x1000), ...u32(0x100)], [2, ...text("right"), ...u64(0x1000), ...u32(0x100)], [0]);
const other = unit([1, ...u64(0x1000), ...u32(0x100)], [2, ...text("other"), ...u64(0x1080), ...u32(0x80)], [0]);
const silent = unit([3, ...u64(0x1000), ...u32(0x100)]);
const lineOnly = unit([4, ...u64(0x1000), ...u32(0x100), ...u32(0)]);
const broken = unit([1, ...u64(0x1000), ...u32(0x100)], [9], [0]);
const skeleton = unit([5, ...u64(0x1000), ...u32(0x100), ...text("gone.dwo")]);
const byLists = unit([6, ...u32(0)]);
const DAMAGED = ["its debug information is damaged"];

for (const [what, units, listed, name, problems] of [
  ["one that knows nothing", [silent, knowing], [], "right", []],
  ["one that knows nothing, both listed", [silent, knowing], [0, 1], "right", []],
  ["one that knows nothing, which alone is listed", [silent, knowing], [0], "right", []],
  ["one that knows nothing, which is not listed", [silent, knowing], [1], "right", []],
  ["ten that know nothing, listed in another order", [...Array(10).fill(silent), knowing], [10, 3, 0, 7], "right", []],
  ["one with a list of ranges", [byLists, knowing], [], "right", []],
  ["one that has another function", [other, knowing], [], "right", []],
  ["one that has only a line", [lineOnly, knowing], [], "right", []],
  ["one that has only a line, behind", [knowing, lineOnly], [], "right", []],
  ["one that has only a line, between", [silent, lineOnly, silent, knowing], [0, 1, 2, 3], "right", []],
  ["one that is damaged", [broken, knowing], [], "right", DAMAGED],
  ["one whose .dwo file is missing", [skeleton, knowing], [], "right", null],
  ["and nobody knows", [silent, silent], [0], null, []],
] as const) {
  test(`of units that have an address, the first that knows it counts: ${what}`, async () => {
    const head = [1, 1, 1, 0xfb, 14, 13, 0, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, ...text("/a.c"), 0, 0, 0, 0];
    const program = [0, 9, 2, ...u64(0x1000), 3, 4, 1, 2, 0x80, 1, 0, 1, 1];
    const lines = [...u16(4), ...u32(head.length), ...head, ...program];
    const range = [LOW_PC, ADDR, HIGH_PC, DATA4];
    const unitAt = (index: number) => Buffer.concat(units.slice(0, index)).length;
    const { found, notes } = await look(
      {
        sections: {
          ".debug_abbrev": abbreviations(
            [COMPILE_UNIT, true, ...range],
            [SUBPROGRAM, false, NAME, STRING, ...range],
            [COMPILE_UNIT, false, ...range],
            [COMPILE_UNIT, false, ...range, STMT_LIST, SEC_OFFSET],
            [COMPILE_UNIT, false, ...range, GNU_DWO_NAME, STRING],
            [COMPILE_UNIT, false, RANGES, SEC_OFFSET],
          ),
          ".debug_info": Buffer.concat(units),
          ".debug_ranges": Uint8Array.from([0, 0x2000, 0x1000, 0x1100, 0, 0].flatMap(u64)),
          ".debug_line": Uint8Array.from([...u32(lines.length), ...lines]),
          ".debug_aranges": Uint8Array.from(listed.flatMap((index) => arangesOf(unitAt(index)))),
        },
      },
      [0x1010],
    );
    assert.deepStrictEqual(functions(found), [[name]]);
    if (problems !== null) assert.deepStrictEqual(notes, problems);
  });
}

test("damage in one unit leaves the others alone, and the symbol table", async () => {
  const good = unit([1, ...u64(0x1000), ...u32(0x80)], [2, ...text("fine"), ...u64(0x1000), ...u32(0x80)], [0]);
  // An abbreviation that does not exist.
  const bad = unit([1, ...u64(0x1080), ...u32(0x80)], [9], [0]);
  const { found, notes } = await look(
    {
      symbols: [{ name: "symbol", value: 0x1080, size: 0x80 }],
      sections: {
        ".debug_abbrev": abbreviations(
          [COMPILE_UNIT, true, LOW_PC, ADDR, HIGH_PC, DATA4],
          [SUBPROGRAM, false, NAME, STRING, LOW_PC, ADDR, HIGH_PC, DATA4],
        ),
        ".debug_info": Uint8Array.from([...bad, ...good]),
        // Of no use either: the units are asked themselves.
        ".debug_aranges": Uint8Array.from(u32(0xfffffff5)),
      },
    },
    [0x1010, 0x1090],
  );
  assert.deepStrictEqual(functions(found), [["fine"], ["symbol"]]);
  assert.deepStrictEqual(notes, ["its debug information is damaged"]);
});
