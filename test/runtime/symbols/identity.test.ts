// What is done to a module's file after the run: a name that may be another build's is not shown, or not without a
// word. Each way once to a file with a build id, which is the same where the code is, and once to one without.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import type { FileIdentity, ModuleInfo } from "../../../runtime/host/types.js";
import { openStore } from "../../../runtime/stores/store.js";
import { ElfFile } from "../../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../../runtime/symbols/symbolcore.js";
import { Symbolizer } from "../../../runtime/symbols/symbolize.js";
import { temporaryFolder } from "../../support/run.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { identityOf } from "./symbolize-elf.js";

const folder = temporaryFolder();
const vectors = fileURLToPath(new URL("../../../../test/vectors/symbols/", import.meta.url));
const NAME = "crossing";
const OFFSET = 0x1610n;
const LONG_AGO = 1_600_000_000;
const BIAS = 0x7f0000000000n;
/** Of the vectors, with their build id or with another kind of note instead. */
const NOTE = Buffer.from("040000001400000003000000474e5500", "hex");
const ROOT = process.getuid?.() === 0;

interface Build {
  whole: Buffer;
  /** The same size and segments, and a function of another name at the same place. */
  rebuilt: Buffer;
}

function buildOf(withId: boolean): Build {
  const whole = readFileSync(join(vectors, "clang-5.so"));
  const noteAt = whole.indexOf(NOTE);
  if (!withId) whole.writeUInt32LE(0x33, noteAt + 8);
  const rebuilt = Buffer.from(whole.toString("latin1").replaceAll(NAME, NAME.replace(/^./, "x")), "latin1");
  rebuilt.writeUInt8(rebuilt.readUInt8(noteAt + 16) ^ 1, noteAt + 16);
  return { whole, rebuilt };
}

type Outcome = "name" | "name and word" | "no name";

interface Way {
  what: string;
  /** Without a build id, and with one. */
  outcomes: readonly [without: Outcome, with_: Outcome];
  /** What happens to the file after the run. */
  change: (path: string, build: Build) => void;
  /** What the store says of the file. */
  stored?: (file: FileIdentity) => FileIdentity | null;
}

/** Writes a new file to the path, of the old one's time or not. */
function put(path: string, content: Buffer, seconds?: number): void {
  writeFileSync(`${path}.new`, content);
  if (seconds !== undefined) utimesSync(`${path}.new`, seconds, seconds);
  renameSync(`${path}.new`, path);
}

/** Writes into the file, and puts its time back. */
function inPlace(path: string, content: Buffer): void {
  writeFileSync(path, content);
  utimesSync(path, LONG_AGO, LONG_AGO);
}

/** Has the path lead to another file. */
function lead(path: string, target: string): void {
  rmSync(path);
  symlinkSync(target, path);
}

function copyBeside(path: string): string {
  copyFileSync(path, `${path}.copy`);
  utimesSync(`${path}.copy`, LONG_AGO, LONG_AGO);
  return `${path}.copy`;
}

/**
 * With all addresses of its segments so much higher, or only that of the last:
 * as prelink does, and as another link does.
 */
function relocated(elf: Buffer, by: number, all = true): Buffer {
  const result = Buffer.from(elf);
  const count = elf.readUInt16LE(56);
  for (let i = all ? 0 : count - 1; i < count; i++) {
    for (const field of [16, 24]) {
      const at = 64 + 56 * i + field;
      result.writeBigUInt64LE(result.readBigUInt64LE(at) + BigInt(by), at);
    }
  }
  return result;
}

const edited = (elf: Buffer, at: number) => {
  const result = Buffer.from(elf);
  result.writeUInt8(result.readUInt8(at) ^ 1, at);
  return result;
};
const NO_NAME = ["no name", "no name"] as const;
const ANYHOW = ["name", "name"] as const;
/** The build id proves it. */
const PROVED = ["no name", "name"] as const;
const PROVED_OR_WORD = ["name and word", "name"] as const;

const ways: Way[] = [
  { what: "nothing", outcomes: ANYHOW, change: () => {} },
  { what: "read", outcomes: ANYHOW, change: (path) => void readFileSync(path) },
  { what: "other permissions", outcomes: PROVED_OR_WORD, change: (path) => chmodSync(path, 0o700) },
  {
    what: "moved away and back",
    outcomes: PROVED_OR_WORD,
    change: (path) => {
      renameSync(path, `${path}.away`);
      renameSync(`${path}.away`, path);
    },
  },
  { what: "a second name of the file", outcomes: PROVED_OR_WORD, change: (path) => linkSync(path, `${path}.second`) },
  { what: "copied with its time", outcomes: PROVED_OR_WORD, change: (path, { whole }) => put(path, whole, LONG_AGO) },
  {
    what: "copied over it, with its time",
    outcomes: PROVED_OR_WORD,
    change: (path, { whole }) => inPlace(path, whole),
  },
  {
    what: "rebuilt with its time",
    outcomes: ["name and word", "no name"],
    change: (path, { rebuilt }) => put(path, rebuilt, LONG_AGO),
  },
  {
    what: "rebuilt in place, with its time",
    outcomes: ["name and word", "no name"],
    change: (path, { rebuilt }) => inPlace(path, rebuilt),
  },
  {
    what: "a link to a copy with its time",
    outcomes: PROVED_OR_WORD,
    change: (path) => lead(path, copyBeside(path)),
  },
  {
    what: "a link to another build",
    outcomes: NO_NAME,
    change: (path, { rebuilt }) => {
      writeFileSync(`${path}.copy`, rebuilt);
      lead(path, `${path}.copy`);
    },
  },
  { what: "copied without its time", outcomes: PROVED, change: (path, { whole }) => put(path, whole) },
  { what: "rebuilt", outcomes: NO_NAME, change: (path, { rebuilt }) => put(path, rebuilt) },
  { what: "rebuilt in place", outcomes: NO_NAME, change: (path, { rebuilt }) => writeFileSync(path, rebuilt) },
  { what: "touched", outcomes: PROVED, change: (path) => utimesSync(path, LONG_AGO, LONG_AGO + 1) },
  {
    what: "touched a millisecond later",
    outcomes: PROVED,
    change: (path) => utimesSync(path, LONG_AGO, LONG_AGO + 0.002),
  },
  {
    what: "a byte of its code changed",
    outcomes: PROVED,
    change: (path, { whole }) => writeFileSync(path, edited(whole, Number(OFFSET))),
  },
  {
    what: "a byte of its code changed, with its time",
    outcomes: PROVED_OR_WORD,
    change: (path, { whole }) => inPlace(path, edited(whole, Number(OFFSET))),
  },
  { what: "cut in half", outcomes: NO_NAME, change: (path, { whole }) => truncateSync(path, whole.length >> 1) },
  {
    what: "cut in half, with its time",
    outcomes: NO_NAME,
    change: (path, { whole }) => inPlace(path, whole.subarray(0, whole.length >> 1)),
  },
  { what: "cut at a page", outcomes: NO_NAME, change: (path) => truncateSync(path, 4096) },
  { what: "emptied", outcomes: NO_NAME, change: (path) => truncateSync(path, 0) },
  {
    what: "a byte more, with its time",
    outcomes: PROVED,
    change: (path, { whole }) => inPlace(path, Buffer.concat([whole, Buffer.alloc(1)])),
  },
  { what: "made 10 TB long, with a hole", outcomes: PROVED, change: (path) => truncateSync(path, 10e12) },
  {
    what: "a hole of 10 TB",
    outcomes: NO_NAME,
    change: (path) => {
      truncateSync(path, 0);
      truncateSync(path, 10e12);
    },
  },
  {
    what: "other segments, with its time",
    outcomes: ["no name", "name and word"],
    change: (path, { whole }) => inPlace(path, edited(whole, 64 + 56 + 4)),
  },
  {
    what: "one segment elsewhere, with its time",
    outcomes: ["no name", "name and word"],
    change: (path, { whole }) => inPlace(path, relocated(whole, 0x10000, false)),
  },
  {
    what: "all of it at other addresses, with its time",
    outcomes: NO_NAME,
    change: (path, { whole }) => inPlace(path, relocated(whole, 0x10000)),
  },
  {
    what: "without symbols",
    outcomes: NO_NAME,
    change: (path, { whole }) => put(path, whole.subarray(0, whole.length - 64), LONG_AGO),
  },
  { what: "removed", outcomes: NO_NAME, change: (path) => rmSync(path) },
  {
    what: "text",
    outcomes: NO_NAME,
    change: (path, { whole }) => put(path, Buffer.alloc(whole.length, "#!/bin/sh\n"), LONG_AGO),
  },
  {
    what: "another library",
    outcomes: NO_NAME,
    change: (path) => put(path, readFileSync(join(vectors, "gcc-4.so")), LONG_AGO),
  },
  {
    what: "one for another byte order",
    outcomes: NO_NAME,
    change: (path, { whole }) => inPlace(path, Buffer.concat([whole.subarray(0, 5), Buffer.of(2), whole.subarray(6)])),
  },
  {
    what: "a folder",
    outcomes: NO_NAME,
    change: (path) => {
      rmSync(path);
      mkdirSync(path);
    },
  },
  {
    what: "a pipe that nobody writes to",
    outcomes: NO_NAME,
    change: (path) => {
      rmSync(path);
      execFileSync("mkfifo", [path]);
    },
  },
  { what: "a link to itself", outcomes: NO_NAME, change: (path) => lead(path, path) },
  { what: "a link to nowhere", outcomes: NO_NAME, change: (path) => lead(path, `${path}.nowhere`) },
  { what: "an endless device", outcomes: NO_NAME, change: (path) => lead(path, "/dev/zero") },
  { what: "a file of the kernel's", outcomes: NO_NAME, change: (path) => lead(path, "/proc/self/maps") },
  {
    what: "not to be read",
    outcomes: ROOT ? PROVED_OR_WORD : NO_NAME,
    change: (path) => chmodSync(path, 0),
  },
  { what: "a store of an older format", outcomes: PROVED_OR_WORD, change: () => {}, stored: () => null },
  {
    what: "replaced before it was looked at, by a copy",
    outcomes: PROVED_OR_WORD,
    change: () => {},
    stored: ({ layout, seen }) => ({ inode: 0n, bytes: 0n, written: 0n, seen, layout }),
  },
  {
    what: "replaced before it was looked at, by another build",
    outcomes: NO_NAME,
    change: (path, { rebuilt }) => put(path, rebuilt, LONG_AGO),
    stored: ({ seen }) => ({ inode: 0n, bytes: 0n, written: 0n, seen, layout: 1n }),
  },
];

const same = (file: FileIdentity) => file;

/** The run: each way's module, as its store has it, without a build id and with one. */
const builds = [false, true].map(buildOf);
const modules: ModuleInfo[][] = [[], []];
for (const [number, { whole }] of builds.entries()) {
  for (const [index, { stored = same }] of ways.entries()) {
    const path = join(folder, `${number}-${index}.so`);
    writeFileSync(path, whole);
    utimesSync(path, LONG_AGO, LONG_AGO);
    modules[number]!.push(await throughStore(path, stored(identityOf(path)!)));
  }
}
await aTickLater(join(folder, "clock"));

for (const [number, build] of builds.entries()) {
  for (const [index, { what, outcomes, change }] of ways.entries()) {
    test(`a module with${number === 1 ? "" : "out"} a build id, after the run: ${what}`, async () => {
      const outcome = outcomes[number];
      const module = modules[number]![index]!;
      change(module.path, build);
      const symbolizer = new Symbolizer({ debugFolders: [], environment: {} });
      const [locations] = await symbolizer.symbolize([{ module, offset: OFFSET, exact: true }]);
      symbolizer.close();
      const { notes } = symbolizer;
      const name = locations!.at(-1)!.function;
      assert.equal(name === null, outcome === "no name", `${name}, ${notes.join()}`);
      assert.equal(notes.length, outcome === "name" ? 0 : 1, notes.join("\n"));
      for (const note of notes) {
        assert.match(
          note,
          outcome === "no name" ? /: its functions have no names$/ : /: nothing proves that it is the run's file: /,
        );
      }
    });
  }
}

/**
 * Returns when the clock has gone on that files are stamped with (in Deno by a
 * second): what happens then is told from what was before.
 */
async function aTickLater(path: string): Promise<void> {
  const stamp = () => {
    writeFileSync(path, "");
    return statSync(path, { bigint: true }).ctimeNs;
  };
  const end = stamp() + 20_000_000n;
  while (stamp() < end) await new Promise((resolve) => setImmediate(resolve));
}

/** The module as a store has it that was written and read. */
async function throughStore(path: string, file: FileIdentity | null): Promise<ModuleInfo> {
  const elf = new ElfFile(new SymbolCore(), path);
  const { buildId } = elf;
  const { low, high } = elf.addresses();
  elf.close();
  // What the run's clock said when the file was looked at.
  const builder = new StoreBuilder({ pid: 42, startWall: file?.seen ?? 0n });
  const where = { bias: BIAS, start: BIAS + low, end: BIAS + high };
  builder.module(path, { ...where, buildId, ...(file === null ? {} : { file }) });
  const target = `${path}.mem`;
  builder.write(target);
  const store = await openStore(target);
  const [module] = store.modules();
  store.close();
  assert.deepEqual(module!.file, file);
  return module!;
}
