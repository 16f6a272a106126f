// Finds the files that describe a module: its own, and the one that its debug information was moved to.
//
//   /usr/bin/app                        build id abcdef…, .gnu_debuglink app.debug, checksum
//   /usr/lib/debug/.build-id/ab/cdef….debug        by build id, which proves it is the right one
//   /usr/bin/app.debug, /usr/bin/.debug/app.debug, /usr/lib/debug/usr/bin/app.debug      by link
//
// A file found by link must have the same build id, or if one of them has no build id, the checksum that the link
// gives.

import { readdirSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SECTION_ALTLINK, SECTION_DEBUGLINK } from "../../asm/symbols/layout.js";
import { hex } from "../host/hex.js";
import type { FileIdentity, ModuleInfo } from "../host/types.js";
import { MOST_BUILD_ID_BYTES } from "./buildid.js";
import { ElfError, FileBytes, NO_SUCH_FILE } from "./elfbytes.js";
import { ElfFile } from "./elffile.js";
import type { SymbolCore } from "./symbolcore.js";

/** Finds files of modules that are not at their paths any more. */
export interface KeptFiles {
  /** Paths at which such a module's file may be read. */
  pathsOf(core: SymbolCore, module: ModuleInfo): readonly string[];
}

const CHECKSUM_PIECE_BYTES = 1 << 20;

/** A module's own file, and why it might be another one; null: it is the one. */
export interface OwnFile {
  file: ElfFile;
  doubt: string | null;
}

// As exact as every runtime tells it.
const TIME_UNIT = 1_000_000n;
/** Clocks of the kernel, of which one may be behind by so much. */
const TICK = 10_000_000n;
/** The least there are: a module begins at one. */
const PAGE_BYTES = 4096n;

/** Whether a file is the one of the run; null: it is. A build id decides, where the segments are the same. */
function judge(info: ModuleInfo, file: ElfFile, now: FileBytes): { change: string } | { doubt: string } | null {
  const { buildId, file: then } = info;
  // One that is in no segment the run did not see.
  const seen = buildId.length > 0 || file.buildIdIsLoaded;
  if (seen && !equal(file.buildId, buildId))
    return { change: `build id ${buildIdText(buildId)} then, ${buildIdText(file.buildId)} now` };
  if (buildId.length === 0) return judgeByFile(then, file, now);
  if (then === null || then.layout === 0n || then.layout === file.layout()) return null;
  // prelink moves all of a file; what has more segments has still its functions where they were.
  const { low, high } = file.addresses();
  const moved = BigInt.asUintN(64, high + info.bias - info.end);
  if (moved !== 0n && low - (low % PAGE_BYTES) === BigInt.asUintN(64, info.start - info.bias + moved)) {
    return { change: "it has the same build id, and other addresses" };
  }
  return { doubt: "its build id is the same, but its segments are not" };
}

/**
 * Without a build id there is a change, or no proof. A file that was written
 * since may be anything, even of the same size and segments.
 */
function judgeByFile(then: FileIdentity | null, file: ElfFile, now: FileBytes) {
  const doubtful = (doubt: string) => ({ doubt: `no build id, and ${doubt}` });
  if (then === null) return doubtful("the store does not say which file it was");
  if (then.layout !== file.layout()) return { change: "it has other segments" };
  if (then.bytes === 0n) return doubtful("its file was not at its path any more");
  if (then.bytes !== BigInt(now.size)) return { change: `${then.bytes} bytes then, ${now.size} now` };
  if (then.written / TIME_UNIT !== now.written / TIME_UNIT) {
    const time = (nanoseconds: bigint) => new Date(Number(nanoseconds / TIME_UNIT)).toISOString();
    return { change: `written ${time(then.written)} then, ${time(now.written)} now; it has no build id` };
  }
  if (then.inode !== now.inode) return doubtful("it is a copy, or was put there anew");
  // The times that tools put back are others.
  return now.changed > then.seen + TICK ? doubtful("it was touched since") : null;
}

/**
 * Opens a module's own file.
 * @param pid process that has it loaded, if it runs: its view of the file
 * system, and files deleted since, are tried too
 * @param kept what was kept while it ran
 * @throws ElfError, with the reason why the file at the module's path will not do
 */
export function openModule(core: SymbolCore, info: ModuleInfo, pid: number | null, kept?: KeptFiles): OwnFile {
  let first: ElfError | undefined;
  for (const path of modulePaths(core, info, pid, kept)) {
    try {
      const bytes = new FileBytes(path);
      // Its debug information is looked for by the path that it had.
      const file = new ElfFile(core, info.path, bytes);
      const verdict = judge(info, file, bytes);
      if (verdict === null || "doubt" in verdict) return { file, doubt: verdict?.doubt ?? null };
      file.close();
      throw new ElfError(`changed since the run (${verdict.change})`);
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      first ??= error;
    }
  }
  if (kept !== undefined && first?.message === NO_SUCH_FILE) throw new ElfError("deleted before it could be read");
  throw first ?? new ElfError(NO_SUCH_FILE);
}

function* modulePaths(
  core: SymbolCore,
  info: ModuleInfo,
  pid: number | null,
  kept: KeptFiles | undefined,
): Generator<string> {
  const { path, start, end, executable } = info;
  yield path;
  if (kept !== undefined) yield* kept.pathsOf(core, info);
  if (pid === null) return;
  yield `/proc/${pid}/root${path}`;
  if (executable) yield `/proc/${pid}/exe`;
  let mappings: string[] = [];
  try {
    mappings = readdirSync(`/proc/${pid}/map_files`);
  } catch {
    // Only the privileged may look there.
  }
  const mapping = mappings.find((name) => {
    const at = BigInt(`0x${name.split("-")[0]}`);
    return at >= start && at < end;
  });
  if (mapping !== undefined) yield `/proc/${pid}/map_files/${mapping}`;
}

/** The separate debug file of a build, null if there is none in the folders (/usr/lib/debug). */
export function debugFileByBuildId(core: SymbolCore, buildId: Uint8Array, folders: readonly string[]): ElfFile | null {
  if (buildId.length < 2) return null;
  const name = buildIdText(buildId);
  for (const folder of folders) {
    const file = tryOpen(core, join(folder, ".build-id", name.slice(0, 2), `${name.slice(2)}.debug`));
    if (file === null) continue;
    if (equal(file.buildId, buildId)) return file;
    file.close();
  }
  return null;
}

/** The debug file that a module's .gnu_debuglink names, null if it has none or there is no such file. */
export function debugFileByLink(core: SymbolCore, module: ElfFile, folders: readonly string[]): ElfFile | null {
  const section = module.section(SECTION_DEBUGLINK);
  const name = section?.string(0);
  // A name, no path: nothing outside of the folders is meant.
  if (!section || !name || name.includes("/")) return null;
  const checksumAt = (Buffer.byteLength(name) + 4) & ~3;
  const checksum = new Uint8Array(4);
  if (!section.read(checksum, checksumAt)) return null;
  const wanted = new DataView(checksum.buffer).getUint32(0, true);
  const own = dirname(module.path);
  for (const folder of [own, join(own, ".debug"), ...folders.map((folder) => join(folder, own))]) {
    const path = join(folder, name);
    const file = path === module.path ? null : tryOpen(core, path);
    if (file === null) continue;
    const comparable = file.buildId.length > 0 && module.buildId.length > 0;
    if (comparable ? equal(file.buildId, module.buildId) : checksumOf(core, file) === wanted) return file;
    file.close();
  }
  return null;
}

/** The file to which dwz moved what several debug files have in common (.gnu_debugaltlink), null if it is missing. */
export function sharedDebugFile(core: SymbolCore, file: ElfFile, folders: readonly string[]): ElfFile | null {
  const section = file.section(SECTION_ALTLINK);
  const name = section?.string(0);
  if (!section || !name) return null;
  const buildId = new Uint8Array(Math.min(section.size - Buffer.byteLength(name) - 1, MOST_BUILD_ID_BYTES));
  if (!section.read(buildId, Buffer.byteLength(name) + 1)) return null;
  const shared = tryOpen(core, resolve(dirname(realpathSync(file.path)), name));
  if (shared !== null && equal(shared.buildId, buildId)) return shared;
  shared?.close();
  return debugFileByBuildId(core, buildId, folders);
}

/** Null if there is no such file, or it is no ELF file. */
export function tryOpen(core: SymbolCore, path: string): ElfFile | null {
  try {
    return new ElfFile(core, path);
  } catch (error) {
    if (error instanceof ElfError) return null;
    throw error;
  }
}

function checksumOf(core: SymbolCore, file: ElfFile): number | null {
  return core.scoped(() => {
    const piece = core.reserve(CHECKSUM_PIECE_BYTES);
    let checksum = 0;
    for (let at = 0; at < file.bytes; at += CHECKSUM_PIECE_BYTES) {
      const bytes = Math.min(CHECKSUM_PIECE_BYTES, file.bytes - at);
      if (!file.read(core.bytes(piece, bytes), at)) return null;
      checksum = core.call.crc32(piece, bytes, checksum) >>> 0;
    }
    return checksum;
  });
}

/** A build id in words: "none" for none. */
export function buildIdText(id: Uint8Array): string {
  return id.length === 0 ? "none" : hex(id);
}

export function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
