// Files of modules that may be gone by the time of the report, kept for as long as `memhook run` needs them.
//
//     app.mem            the store
//     app.mem.modules/   what the library in the program puts there (preload/stacks/keep.c): it alone is in time for a
//                        plugin that is removed at once. 65024-7340, a hard link or a copy
//     descriptors        of all other modules, opened here while they are mapped: an old file that is
//                        removed or replaced later, one in a container
//
// A descriptor costs nothing and nobody sees it, but it keeps a file system from being unmounted. So a file on a file
// system that did not exist when the run began is copied. The report says what was not kept in time in either way.

import {
  closeSync,
  copyFileSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as L from "../../asm/layout.js";
import { type ByteSource, openFile, textAt } from "../host/host.js";
import type { ModuleInfo } from "../host/types.js";
import { identityKey, identityOf, isStoreHeader } from "../stores/identity.js";
import { ownIdentity } from "../stores/liveness.js";
import { storesAt } from "../stores/storenames.js";
import type { KeptFiles } from "../symbols/debugfiles.js";
import { FileBytes } from "../symbols/elfbytes.js";
import { ElfFile } from "../symbols/elffile.js";
import type { SymbolCore } from "../symbols/symbolcore.js";

const FILES_MOST = 512;
const COPY_MOST_BYTES = 64 << 20;
/** The most disk space that only our descriptors keep in use. */
const KEPT_MOST_BYTES = 256 << 20;
/** Between two looks at the processes: short at the beginning, when most is loaded. */
const FIRST_LOOK_MS = 10;
const LAST_LOOK_MS = 1000;

/** A file that is mapped into a process. */
interface Mapped {
  range: string;
  inode: bigint;
  path: string;
}

export class KeptModules implements KeptFiles {
  readonly #store: string;
  readonly #folder: string;
  readonly #hasFolder: boolean;
  /** The file systems that existed at the beginning. */
  readonly #mounts = mountIds();
  readonly #namespace = ownIdentity().namespace;
  /** By device and inode, as mappings have them; null: nothing could be kept. */
  readonly #descriptors = new Map<string, number | null>();
  /** By store: which process it was, and how many modules it had, when that was looked at last. */
  readonly #seen = new Map<string, string>();
  #index: Map<string, string[]> | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param store the first store's path */
  constructor(store: string) {
    this.#store = store;
    this.#folder = `${store}.modules`;
    this.#hasFolder = this.#makeFolder();
  }

  /** Keeps the file of the program that is about to be run, if there is one. */
  hold(program: string | null): void {
    if (program === null) return;
    const path = realpathSync(program);
    const inode = statSync(path, { bigint: true }).ino;
    this.#keep([path], `${inode} ${path}`, inode);
  }

  /** Looks at the run's processes from now on. */
  watch(wait = FIRST_LOOK_MS): void {
    this.#timer = setTimeout(() => {
      this.look();
      this.watch(Math.min(wait * 2, LAST_LOOK_MS));
    }, wait);
    this.#timer.unref();
  }

  /** Keeps what is mapped into the run's processes now. */
  look(): void {
    this.#index = undefined;
    try {
      for (const path of storesAt(this.#store)) this.#lookAt(path);
      this.#trim();
    } catch {
      // The folder is gone, and the stores with it: the report will say so.
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  pathsOf(core: SymbolCore, module: ModuleInfo): readonly string[] {
    this.#index ??= this.#makeIndex(core);
    const { buildId, file } = module;
    return this.#index.get(buildId.length > 0 ? keyOf(buildId, 0n) : keyOf(buildId, file?.layout ?? 0n)) ?? [];
  }

  /** Releases everything. */
  close(): void {
    this.stop();
    for (const descriptor of this.#descriptors.values()) if (descriptor !== null) closeSync(descriptor);
    this.#descriptors.clear();
    this.#index = new Map();
    if (this.#hasFolder) this.#emptyFolder();
  }

  // ── The folder ─────────────────────────────────────────────────────────────────────────────────

  /** False where there can be none: then the library keeps nothing. */
  #makeFolder(): boolean {
    try {
      // Of a run that was killed.
      if (lstatSync(join(this.#folder, "since"), { throwIfNoEntry: false })?.isFile()) this.#emptyFolder();
      mkdirSync(this.#folder, { mode: 0o700 });
      writeFileSync(join(this.#folder, "since"), "", { flag: "wx" });
      return true;
    } catch {
      return false;
    }
  }

  #emptyFolder(): void {
    try {
      for (const name of [...keptIn(this.#folder), "since"]) rmSync(join(this.#folder, name), { force: true });
      rmdirSync(this.#folder);
    } catch {
      // Somebody else has taken it away, or put something there.
    }
  }

  #inFolder(): string[] {
    return this.#hasFolder ? keptIn(this.#folder) : [];
  }

  // ── Processes ──────────────────────────────────────────────────────────────────────────────────

  #lookAt(store: string): void {
    const header = headerOf(store);
    if (header === null || header.getUint32(L.HEADER_END_KIND, true) !== L.END_NONE) return;
    const process = identityOf(header);
    const count = header.getUint32(L.HEADER_ARRAYS + L.KIND_MODULES * L.ARRAY_BYTES + L.ARRAY_COUNT, true);
    // An exec leaves the process as it is, and makes its store anew.
    const state = `${identityKey(process)} ${header.getBigUint64(L.HEADER_START_MONOTONIC, true)} ${count}`;
    // A process of another namespace has another number here.
    if (this.#seen.get(store) === state || process.namespace !== this.#namespace) return;
    this.#seen.set(store, state);
    const around = `/proc/${process.pid}`;
    for (const { path, inode, range } of mappedInto(process.pid)) {
      const places = [`${around}/root${path}`, `${around}/exe`, `${around}/map_files/${range}`];
      this.#keep(places, `${inode} ${path}`, inode);
    }
  }

  /** Keeps the file with this inode, which is at one of the places. */
  #keep(places: readonly string[], key: string, inode: bigint): void {
    if (this.#descriptors.has(key) || this.#descriptors.size >= FILES_MOST) return;
    this.#descriptors.set(key, null);
    for (const place of places) {
      const descriptor = openIf(place, inode);
      if (descriptor === null) continue;
      if (this.#mounts.has(mountOf(descriptor))) this.#descriptors.set(key, descriptor);
      else {
        this.#copy(descriptor);
        closeSync(descriptor);
      }
      return;
    }
  }

  #copy(descriptor: number): void {
    const { size, dev, ino, atime, mtime } = fstatSync(descriptor);
    if (!this.#hasFolder || size > COPY_MOST_BYTES) return;
    const target = join(this.#folder, `${dev}-${ino}`);
    try {
      if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return;
      copyFileSync(`/proc/self/fd/${descriptor}`, target);
      utimesSync(target, atime, mtime);
    } catch {
      // No room for it.
      rmSync(target, { force: true });
    }
  }

  /** Lets go of what would take too much room. */
  #trim(): void {
    let room = KEPT_MOST_BYTES;
    const fits = ({ nlink, size }: { nlink: number; size: number }, ourNames: number) => {
      if (nlink > ourNames) return true;
      if (size > room) return false;
      room -= size;
      return true;
    };
    for (const name of this.#inFolder()) {
      const path = join(this.#folder, name);
      const status = lstatSync(path, { throwIfNoEntry: false });
      if (status !== undefined && !fits(status, 1)) rmSync(path, { force: true });
    }
    for (const [key, descriptor] of this.#descriptors) {
      if (descriptor === null || fits(fstatSync(descriptor), 0)) continue;
      closeSync(descriptor);
      this.#descriptors.set(key, null);
    }
  }

  #makeIndex(core: SymbolCore): Map<string, string[]> {
    const index = new Map<string, string[]>();
    const paths = this.#inFolder().map((name) => join(this.#folder, name));
    for (const descriptor of this.#descriptors.values())
      if (descriptor !== null) paths.push(`/proc/self/fd/${descriptor}`);
    for (const path of paths) {
      try {
        const file = new ElfFile(core, path, new FileBytes(path));
        const key = keyOf(file.buildId, file.layout());
        index.set(key, [...(index.get(key) ?? []), path]);
        file.close();
      } catch {
        // No module after all, or only a part of one.
      }
    }
    return index;
  }
}

function keptIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^\d+-\d+$/.test(name));
}

function keyOf(buildId: Uint8Array, layout: bigint): string {
  return buildId.length > 0 ? Buffer.from(buildId).toString("hex") : `layout ${layout}`;
}

/** Null if there is no store, or not yet. */
function headerOf(store: string): DataView | null {
  const bytes = new Uint8Array(L.HEADER_BYTES);
  let file: ByteSource;
  try {
    file = openFile(store);
  } catch {
    return null;
  }
  try {
    const header = new DataView(bytes.buffer);
    return file.read(bytes, 0) === bytes.length && isStoreHeader(header) ? header : null;
  } finally {
    file.close();
  }
}

/** Files with code in a process, each once. */
function mappedInto(pid: number): Iterable<Mapped> {
  const files = new Map<string, Mapped>();
  let maps = "";
  try {
    maps = readFileSync(`/proc/${pid}/maps`, "utf8");
  } catch {
    // It has just ended, or is another user's.
  }
  for (const [, range, inode, name] of maps.matchAll(/^(\S+) ..x. \S+ \S+ ([1-9]\d*) +(.*)$/gm)) {
    const path = name!.replace(/ \(deleted\)$/, "").replaceAll("\\012", "\n");
    // The kernel leaves out leading zeros there.
    const exact = range!.replace(/\b0+(?=[\da-f])/g, "");
    files.set(`${inode} ${path}`, { range: exact, inode: BigInt(inode!), path });
  }
  return files.values();
}

/** A descriptor of the file if it is the one with this inode. */
function openIf(path: string, inode: bigint): number | null {
  try {
    // Opening a pipe would wait for a writer.
    const status = statSync(path, { bigint: true });
    if (!status.isFile() || status.ino !== inode) return null;
    const descriptor = openSync(path, "r");
    if (fstatSync(descriptor, { bigint: true }).ino === inode) return descriptor;
    closeSync(descriptor);
  } catch {
    // It is gone, or not ours to read.
  }
  return null;
}

function mountOf(descriptor: number): string {
  return /^mnt_id:\s*(\d+)/m.exec(textAt(`/proc/self/fdinfo/${descriptor}`))?.[1] ?? "";
}

function mountIds(): Set<string> {
  const lines = textAt("/proc/self/mountinfo").split("\n");
  return new Set(lines.map((line) => line.split(" ", 1)[0]!));
}
