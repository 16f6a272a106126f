// Functions that the linker folded into one (--icf=all): what is shown is one of them, with a line of its own.

import assert from "node:assert";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ENTRY_ADDRESS, ENTRY_BYTES, ENTRY_EXECUTABLE, ENTRY_SIZE } from "../../../asm/symbols/layout.js";
import { ElfFile } from "../../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../../runtime/symbols/symbolcore.js";
import { Symbolizer } from "../../../runtime/symbols/symbolize.js";
import { which } from "../../support/compilers.js";
import { temporaryFolder } from "../../support/run.js";

const folder = temporaryFolder();
const sources = fileURLToPath(new URL("../../../../test/programs/symbols/", import.meta.url));
const FILES = ["folded.c", "folded_too.c"];

/** For each function its file, the line of its name, and that of its end. */
const functions = new Map<string, { file: string; first: number; last: number }>();
for (const name of FILES) {
  const lines = readFileSync(join(sources, name), "utf8").split("\n");
  for (const [index, line] of lines.entries()) {
    const found = /(\w+)\(int \w+.*\)( \{)?$/.exec(line);
    if (found) functions.set(found[1]!, { file: name, first: index + 1, last: lines.indexOf("}", index) + 1 });
  }
}

/** Every address of a file's code. */
function addressesOf(path: string): { addresses: bigint[]; buildId: Uint8Array } {
  const file = new ElfFile(new SymbolCore(), path);
  const view = new DataView(file.entries.buffer);
  const addresses: bigint[] = [];
  for (let at = 0; at < file.entries.length; at += ENTRY_BYTES) {
    if (view.getUint32(at + ENTRY_EXECUTABLE, true) === 0) continue;
    const start = view.getBigUint64(at + ENTRY_ADDRESS, true);
    const size = view.getBigUint64(at + ENTRY_SIZE, true);
    for (let byte = 0n; byte < size; byte++) addresses.push(start + byte);
  }
  file.close();
  return { addresses, buildId: file.buildId };
}

for (const linker of ["gold", "lld", "mold"]) {
  const missing = ["gcc", `ld.${linker}`].find((tool) => which(tool) === undefined);
  test(`functions folded by ${linker} are one of them`, {
    skip: missing !== undefined && `${missing} is missing`,
  }, async () => {
    for (const options of [["-gdwarf-5"], ["-gdwarf-4"], ["-gdwarf-5", "-gsplit-dwarf"]]) {
      for (const files of [FILES, [...FILES].reverse()]) {
        const what = `${options.join(" ")} ${files[0]}`;
        const path = join(folder, `${linker}-${what.replaceAll(" ", "")}`);
        const paths = files.map((name) => join(sources, name));
        const how = ["-O1", "-ffunction-sections", `-fuse-ld=${linker}`, "-Wl,--icf=all", ...options];
        execFileSync("gcc", [...how, ...paths, "-o", path], { cwd: folder, stdio: "pipe" });
        const { addresses, buildId } = addressesOf(path);
        const nothing = { bias: 0n, start: 0n, end: 0n, loaded: 0n, unloaded: 0n, executable: false, vdso: false };
        const module = { id: 1, path, buildId, file: null, ...nothing };
        const symbolizer = new Symbolizer({ debugFolders: [], environment: {} });
        const found = await symbolizer.symbolize(addresses.map((offset) => ({ module, offset, exact: true })));
        symbolizer.close();
        const seen = new Set<string>();
        for (const locations of found) {
          const { function: name, file, line } = locations.at(-1)!;
          const own = functions.get(name ?? "");
          if (own === undefined) continue;
          seen.add(name!);
          assert.strictEqual(file, join(sources, own.file), what);
          assert.ok(line !== null && line >= own.first && line <= own.last, `${what}: ${name} at line ${line}`);
        }
        // Not every linker folds all three.
        assert.ok(seen.has("main") && seen.size > 1 && seen.size < functions.size, `seen: ${[...seen]}`);
      }
    }
  });
}
