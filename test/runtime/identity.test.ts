// What is done to a module without a build id after the run: a name that may be another build's is not shown, or not without a word.

import assert from "node:assert/strict";
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { openStore } from "../../runtime/store.js";
import { Symbolizer } from "../../runtime/symbolize.js";
import type { FileIdentity, ModuleInfo } from "../../runtime/types.js";
import { temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";
import { identityOf } from "./symbolize-elf.js";

const folder = temporaryFolder();
const vectors = fileURLToPath(new URL("../../../test/vectors/symbols/", import.meta.url));
const NAME = "crossing";
const OFFSET = 0x1610n;
const LONG_AGO = 1_600_000_000;
/** Its build id is made another kind of note. */
const NOTE = Buffer.from("040000001400000003000000474e5500", "hex");
const whole = readFileSync(join(vectors, "clang-5.so"));
whole.writeUInt32LE(0x33, whole.indexOf(NOTE) + 8);

/** The same size and segments, and a function of another name at the same place. */
const rebuilt = Buffer.from(whole.toString("latin1").replaceAll(NAME, NAME.replace(/^./, "x")), "latin1");

type Outcome = "name" | "name and word" | "no name";

interface Way {
  what: string;
  outcome: Outcome;
  /** What happens to the file after the run. */
  change: (path: string) => void;
  /** What the store says of the file. */
  stored?: (file: FileIdentity) => FileIdentity | null;
}

/** Writes a new file to the path, of the old one's time or not. */
function put(path: string, content: Buffer, seconds?: number): void {
  writeFileSync(`${path}.new`, content);
  if (seconds !== undefined) utimesSync(`${path}.new`, seconds, seconds);
  renameSync(`${path}.new`, path);
}

function inPlace(path: string, content: Buffer): void {
  writeFileSync(path, content);
  utimesSync(path, LONG_AGO, LONG_AGO);
}

const otherSegments = Buffer.from(whole);
otherSegments.writeUInt8(otherSegments.readUInt8(64 + 56 + 4) ^ 1, 64 + 56 + 4);

const ways: Way[] = [
  { what: "nothing", outcome: "name", change: () => {} },
  { what: "other permissions", outcome: "name", change: (path) => chmodSync(path, 0o700) },
  {
    what: "moved away and back",
    outcome: "name",
    change: (path) => {
      renameSync(path, `${path}.away`);
      renameSync(`${path}.away`, path);
    },
  },
  { what: "a second name of the file", outcome: "name", change: (path) => linkSync(path, `${path}.second`) },
  { what: "copied with its time", outcome: "name and word", change: (path) => put(path, whole, LONG_AGO) },
  { what: "rebuilt with its time", outcome: "name and word", change: (path) => put(path, rebuilt, LONG_AGO) },
  {
    what: "a link to a copy with its time",
    outcome: "name and word",
    change: (path) => {
      copyFileSync(path, `${path}.copy`);
      utimesSync(`${path}.copy`, LONG_AGO, LONG_AGO);
      rmSync(path);
      symlinkSync(`${path}.copy`, path);
    },
  },
  {
    what: "a link to another build",
    outcome: "no name",
    change: (path) => {
      rmSync(path);
      writeFileSync(`${path}.copy`, rebuilt);
      symlinkSync(`${path}.copy`, path);
    },
  },
  { what: "copied without its time", outcome: "no name", change: (path) => put(path, whole) },
  { what: "rebuilt", outcome: "no name", change: (path) => put(path, rebuilt) },
  { what: "rebuilt in place", outcome: "no name", change: (path) => writeFileSync(path, rebuilt) },
  { what: "touched", outcome: "no name", change: (path) => utimesSync(path, LONG_AGO, LONG_AGO + 1) },
  {
    what: "touched a millisecond later",
    outcome: "no name",
    change: (path) => utimesSync(path, LONG_AGO, LONG_AGO + 0.002),
  },
  { what: "cut in half", outcome: "no name", change: (path) => truncateSync(path, whole.length >> 1) },
  {
    what: "cut in half, with its time",
    outcome: "no name",
    change: (path) => inPlace(path, whole.subarray(0, whole.length >> 1)),
  },
  { what: "emptied", outcome: "no name", change: (path) => truncateSync(path, 0) },
  {
    what: "a byte more, with its time",
    outcome: "no name",
    change: (path) => inPlace(path, Buffer.concat([whole, Buffer.alloc(1)])),
  },
  { what: "other segments, with its time", outcome: "no name", change: (path) => inPlace(path, otherSegments) },
  {
    what: "without symbols",
    outcome: "no name",
    change: (path) => put(path, whole.subarray(0, whole.length - 64), LONG_AGO),
  },
  { what: "removed", outcome: "no name", change: (path) => rmSync(path) },
  {
    what: "text",
    outcome: "no name",
    change: (path) => put(path, Buffer.alloc(whole.length, "#!/bin/sh\n"), LONG_AGO),
  },
  {
    what: "another library",
    outcome: "no name",
    change: (path) => put(path, readFileSync(join(vectors, "gcc-4.so")), LONG_AGO),
  },
  {
    what: "a folder",
    outcome: "no name",
    change: (path) => {
      rmSync(path);
      mkdirSync(path);
    },
  },
  { what: "a store of an older format", outcome: "name and word", change: () => {}, stored: () => null },
  {
    what: "replaced before it was looked at, by a copy",
    outcome: "name and word",
    change: () => {},
    stored: ({ layout }) => ({ inode: 0n, bytes: 0n, written: 0n, layout }),
  },
  {
    what: "replaced before it was looked at, by another build",
    outcome: "no name",
    change: () => {},
    stored: () => ({ inode: 0n, bytes: 0n, written: 0n, layout: 1n }),
  },
];

const same = (file: FileIdentity) => file;

for (const [index, { what, outcome, change, stored = same }] of ways.entries()) {
  test(`a module without a build id, after the run: ${what}`, async () => {
    const path = join(folder, `${index}.so`);
    writeFileSync(path, whole);
    utimesSync(path, LONG_AGO, LONG_AGO);
    const file = stored(identityOf(path)!);
    const module = await throughStore(path, file);
    change(path);
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

/** The module as a store has it that was written and read. */
async function throughStore(path: string, file: FileIdentity | null): Promise<ModuleInfo> {
  const builder = new StoreBuilder({ pid: 42 });
  builder.module(path, file === null ? {} : { file });
  const target = `${path}.mem`;
  builder.write(target);
  const store = await openStore(target);
  const [module] = store.modules();
  store.close();
  assert.deepEqual(module!.file, file);
  assert.equal(module!.buildId.length, 0);
  return module!;
}
