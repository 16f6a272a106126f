// memdb's store files: who owns a path, how a new file replaces an old one, how changed pages are written.
//
// A session's first complete state is written beside the path and renamed over it, so that a viewer sees the old store
// or the new one, never a mixture. From then on changed pages are written in place, in SessionImage's order.
//
//     app.mem.new ──rename──▶ app.mem ◀── pages
//
// Nothing is opened through a symbolic link, and a file that is not a store is never touched.

import {
  type BigIntStats,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import * as L from "../../asm/layout.js";
import { clock, wallMilliseconds } from "../host/clock.js";
import { isRefused } from "../host/host.js";
import { isPrivate } from "../host/private.js";
import { identityKey, identityOf, isStoreHeader, machineKey, type Origin } from "../stores/identity.js";
import { type Identity, liveness } from "../stores/liveness.js";
import { storeNames } from "../stores/storenames.js";
import { mayDescend } from "./family.js";
import type { PageSink, SessionImage } from "./wireimage.js";

/** Strangers' stores that are remembered, those of processes that have ended included. */
const STRANGERS_MAX = 1024;
/** How long the path of a process that is not visible on this machine is kept for it to connect again. */
const GRACE_NS = 30_000_000_000n;

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;

// ── Whose path ───────────────────────────────────────────────────────────────────────────────────

/**
 * "absent": no file. "nobody": a store that is nobody's any more. "own": one of this
 * very process. "family": one of a process that has ended, and that this one may
 * descend from. "foreign": no store at all, or not this user's alone; never touched.
 */
type Owner = "absent" | "nobody" | "own" | "living" | "family" | "foreign";

/** Who wants a path for a process. */
export interface Claimant {
  /** The session's. */
  key: string;
  /** Another user of this machine, for whom no older store makes room. */
  stranger: boolean;
  /** The process is its own for certain. */
  proven: boolean;
}

/**
 * When a path's last session ended, or, of one that this memdb has not had,
 * when memdb began: by the boot clock, which nobody sets.
 */
interface Quiet {
  since: bigint;
  ours: boolean;
}

function ownerOf(path: string, identity?: Identity, quiet?: Quiet): Owner {
  let file: number;
  try {
    // Without O_NONBLOCK a planted pipe would make this wait.
    file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (isRefused(error)) throw error;
    return (error as { code?: string }).code === "ENOENT" ? "absent" : "foreign";
  }
  try {
    const status = fstatSync(file);
    if (!isPrivate(status)) return "foreign";
    if (status.size === 0) return "nobody";
    const header = new DataView(new ArrayBuffer(L.HEADER_BYTES));
    if (readSync(file, header, 0, L.HEADER_BYTES, 0) < L.HEADER_BYTES || !isStoreHeader(header)) return "foreign";
    const owner = identityOf(header);
    if (identity && identityKey(owner) === identityKey(identity)) return "own";
    if (header.getUint32(L.HEADER_END_KIND, true) !== L.END_NONE) {
      const relatives = identity && machineKey(owner) === machineKey(identity) && mayDescend(identity, header);
      return relatives ? "family" : "nobody";
    }
    const state = liveness(owner);
    if (state === "running") return "living";
    // "gone" is certain only for a process of this machine's. One of another machine or container may be about to
    // connect again; but not if nothing was written since this machine started.
    const local = state === "gone" && isThisBoot(owner.bootId);
    const age = BigInt(Math.trunc(wallMilliseconds() - status.mtimeMs)) * 1_000_000n;
    const sinceBoot = bootTime();
    if (local || (!quiet?.ours && age > sinceBoot)) return "nobody";
    const written = age >= 0n && age < GRACE_NS;
    const isQuiet = quiet === undefined || sinceBoot >= quiet.since + GRACE_NS;
    return written || !isQuiet ? "living" : "nobody";
  } finally {
    closeSync(file);
  }
}

function bootTime(): bigint {
  return clock.boot() ?? clock.wall();
}

function isThisBoot(bootId: Uint8Array): boolean {
  // A process that ended long ago and has this boot's id is gone, so asking for one does for a comparison.
  return liveness({ pid: process.pid, start: 0n, namespace: 0n, bootId }) === "running";
}

/** The stores of one memdb: the first process's at PATH, others' beside it. */
export class StorePaths {
  readonly #path: string;
  readonly #taken = new Set<string>();
  /** The process that owns PATH, or owned it last. */
  #first: { process: Origin; claimant: Claimant; file: StoreFile } | undefined;
  /** The paths of other users' stores. A file says which process it belongs to, but not which user. */
  readonly #strangers = new Map<string, string>();
  readonly #started = bootTime();
  /** When sessions gave their paths back. */
  readonly #released = new Map<string, bigint>();

  /** @throws Error when nothing can be kept there; the message is one line for the user. */
  constructor(path: string) {
    this.#path = path;
    if (ownerOf(path) === "foreign") {
      throw new Error(
        `${path}: there is something that is no store of this user's alone, and memdb does not touch it; name ` +
          "another path",
      );
    }
    const folder = dirname(path);
    if (!lstatSync(join(folder, "."), { throwIfNoEntry: false })?.isDirectory()) {
      throw new Error(`${path}: there is no folder ${folder}; create it`);
    }
  }

  /**
   * The file for a process; its path is taken until it is released. A child of fork may
   * connect, and be over, before its parent does: then PATH was given to the child, and
   * is the parent's from now on. So it is with a stranger and one who is none.
   */
  claim(process: Origin, claimant: Claimant): StoreFile {
    const { path, own } = this.#find(process, claimant, true);
    const first = this.#first;
    const isParent = first && first.process.parent === process.pid && machineKey(first.process) === machineKey(process);
    const makesRoom = first && !claimant.stranger && (isParent || first.claimant.stranger);
    if (makesRoom && !own && first.file.path === this.#path) {
      const elsewhere = this.#find(first.process, first.claimant, false).path;
      if (this.#taken.delete(this.#path)) this.#taken.add(elsewhere);
      first.file.move(elsewhere);
      this.#remember(first.claimant, elsewhere);
      return this.#take(this.#path, process, claimant);
    }
    return this.#take(path, process, claimant);
  }

  /** A path for a process: its own store's if there is one. `first`: PATH itself may be it. */
  #find(process: Origin, claimant: Claimant, first: boolean): { path: string; own: boolean } {
    let free: string | undefined;
    for (const path of storeNames(this.#path, process.pid)) {
      if (this.#taken.has(path) || (path === this.#path && !first)) continue;
      const owner = ownerOf(path, process, this.#quiet(path));
      // Its own store, wherever it is, comes before a better name.
      if (owner === "own" && this.#mayReplace(path, claimant)) return { path, own: true };
      if (owner !== "absent" && (owner !== "nobody" || claimant.stranger)) continue;
      free ??= path;
      if (path !== this.#path) break;
    }
    if (free === undefined)
      throw new Error(`${this.#path}: it and all its alternatives for pid ${process.pid} are taken`);
    return { path: free, own: false };
  }

  #quiet(path: string): Quiet {
    const released = this.#released.get(path);
    return { since: released ?? this.#started, ours: released !== undefined };
  }

  #mayReplace(path: string, { key, stranger, proven }: Claimant): boolean {
    return !stranger || proven || this.#strangers.get(key) === path;
  }

  #take(path: string, process: Origin, claimant: Claimant): StoreFile {
    this.#taken.add(path);
    const file = new StoreFile(path);
    if (path === this.#path) this.#first = { process, claimant, file };
    this.#remember(claimant, path);
    return file;
  }

  #remember({ key, stranger }: Claimant, path: string): void {
    if (!stranger) return;
    this.#strangers.delete(key);
    this.#strangers.set(key, path);
    const [oldest] = this.#strangers.keys();
    if (this.#strangers.size > STRANGERS_MAX) this.#strangers.delete(oldest!);
  }

  release(path: string): void {
    this.#taken.delete(path);
    const now = bootTime();
    for (const [other, since] of this.#released) if (since + GRACE_NS < now) this.#released.delete(other);
    this.#released.set(path, now);
  }
}

// ── One file ─────────────────────────────────────────────────────────────────────────────────────

/** The file is not at its path any more. Nothing is lost: the next update writes all of it anew. */
export class StoreLost extends Error {}

export class StoreFile implements PageSink {
  #path: string;
  #file: number | undefined;
  /** Which file that is. */
  #identity = "";
  #length = 0;
  #published = false;
  #wasLost = false;

  constructor(path: string) {
    this.#path = path;
  }

  get path(): string {
    return this.#path;
  }

  /** Moves the file to another path, even after it was closed. */
  move(path: string): void {
    const before = this.#place;
    const isThere = this.#isThere();
    this.#path = path;
    if (isThere) renameSync(before, this.#place);
  }

  /** The path holds this session's state; before, it holds an older store or nothing. */
  get published(): boolean {
    return this.#published;
  }

  /**
   * Brings the file up to date, about `budget` bytes at a time; true when it is. Throws what the file system says; then
   * nothing that was in the file is lost, and the next call tries again.
   * @throws StoreLost when somebody has taken the file away, or put another one there
   */
  update(image: SessionImage, budget: number): boolean {
    if (this.#file !== undefined && !this.#isThere()) this.#lose();
    if (this.#file === undefined) {
      this.#file = this.#create();
      image.restart();
    }
    if (!image.write(this, budget)) return false;
    if (!this.#published) {
      const owner = ownerOf(this.path);
      if (owner === "foreign") throw new Error("something that is no store is there now");
      if (this.#wasLost && owner === "living") throw new Error("another file is there now, which may be in use");
      renameSync(this.#temporary, this.path);
      this.#published = true;
    }
    return true;
  }

  /** There is a file, and its name leads to it. */
  #isThere(): boolean {
    const found = lstatSync(this.#place, { bigint: true, throwIfNoEntry: false });
    return found !== undefined && identityText(found) === this.#identity;
  }

  #lose(): never {
    const folder = dirname(this.path);
    const another = lstatSync(this.#place, { throwIfNoEntry: false }) !== undefined;
    const alone = existsSync(folder);
    closeSync(this.#file!);
    this.#file = undefined;
    this.#length = 0;
    this.#identity = "";
    this.#published = false;
    this.#wasLost = true;
    if (another) throw new StoreLost("another file is there; as soon as that is gone, all is written anew");
    if (alone) throw new StoreLost("it was removed; all is written anew");
    throw new StoreLost(`it was removed, and its folder; as soon as there is a ${folder}, all is written anew`);
  }

  write(bytes: Uint8Array, offset: number): void {
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(this.#file!, bytes, done, bytes.length - done, offset + done);
    }
  }

  extend(bytes: number): void {
    if (bytes <= this.#length) return;
    ftruncateSync(this.#file!, bytes);
    this.#length = bytes;
  }

  /** Ends the writing, and removes a file that was never renamed. */
  close(): void {
    if (this.#file === undefined) return;
    closeSync(this.#file);
    this.#file = undefined;
    if (!this.#published) rmSync(this.#temporary, { force: true });
  }

  get #temporary(): string {
    return `${this.path}.new`;
  }

  /** Where the file is now. */
  get #place(): string {
    return this.#published ? this.path : this.#temporary;
  }

  #create(): number {
    const flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
    let file: number;
    try {
      file = openSync(this.#temporary, flags, 0o600);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") throw new Error(`there is no folder ${dirname(this.path)}`);
      if (code !== "EEXIST") throw error;
      // Left behind by a memdb that was killed, or planted: either way the name goes, and what it led to stays.
      unlinkSync(this.#temporary);
      file = openSync(this.#temporary, flags, 0o600);
    }
    this.#identity = identityText(fstatSync(file, { bigint: true }));
    return file;
  }
}

function identityText({ dev, ino }: BigIntStats): string {
  return `${dev} ${ino}`;
}

/** Whether the path holds a store of this process, so that an incomplete newer one must not replace it. */
export function holdsStoreOf(path: string, identity: Identity): boolean {
  return ownerOf(path, identity) === "own";
}
