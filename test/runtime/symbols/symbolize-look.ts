// Modules that are built for a test, and what a symbolizer says of them: for the suites of symbolize*.test.ts.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ModuleInfo } from "../../../runtime/host/types.js";
import { Symbolizer, type SymbolizerOptions } from "../../../runtime/symbols/symbolize.js";
import { after } from "../../support/after.js";
import { elf, type FakeElf, type FakeSymbol, identityOf } from "./symbolize-elf.js";

export const folder = mkdtempSync(join(tmpdir(), "memhook-symbolize-"));
after(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;

export function write(content: Uint8Array, path = `file${files++}`): string {
  const full = join(folder, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
  return full;
}

export function moduleOf(path: string, buildId = new Uint8Array(0), more: Partial<ModuleInfo> = {}): ModuleInfo {
  const nothing = { bias: 0n, start: 0n, end: 0n, loaded: 0n, unloaded: 0n, executable: false, vdso: false };
  return { id: 1, path, buildId, file: identityOf(path), ...nothing, ...more };
}

/** Function names at some addresses of a module, and the notes. Nothing of the machine's own is looked at. */
export async function look(info: ModuleInfo, addresses: number[], options: SymbolizerOptions = {}) {
  const symbolizer = new Symbolizer({ debugFolders: [], environment: {}, ...options });
  const found = await symbolizer.symbolize(
    addresses.map((address) => ({ module: info, offset: BigInt(address), exact: true })),
  );
  symbolizer.close();
  return { names: found.map((locations) => locations.at(-1)!.function), notes: symbolizer.notes };
}

export const BUILD_ID = Uint8Array.of(0xab, 0xcd, 0xef, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
export const OTHER_ID = Uint8Array.of(0x11, 0x22, 0x33);
export const HEX_ID = Buffer.from(BUILD_ID).toString("hex");
export const MAIN: FakeSymbol = { name: "main", value: 0x1100, size: 0x80 };

export const stripped = (more: FakeElf = {}) => elf({ dynamic: true, symbols: [], ...more });
