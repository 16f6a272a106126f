// A memdb's lock on its path: two memdbs that keep stores at one path would replace each other's files.
//
// The file beside the path, app.mem.lock, is a queue with a line for each memdb that wanted the path. The first line
// whose process is alive holds the lock. A process that cannot be seen from here, in another container, does not count,
// because it may have been killed.
//
//     4711 88230 4026531836 3f…c1 9a…07     was killed
//     4790 99120 4026531836 3f…c1 17…e2     the holder
//     4791 99121 4026531836 3f…c1 c0…5b     came in the same moment, and
//     - c0…5b                               has given up
//
// The kernel appends lines one after the other, so all readers see them in one order, and two memdbs that find a killed
// memdb's lock cannot both be first. The holder then replaces the queue by one with only its own line, and removes it
// at its end. So a queue that is no longer at its path belongs to nobody, and whoever was waiting in it begins anew.

import { randomBytes } from "node:crypto";
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { whyNotWritten } from "../host/errors.js";
import { isPrivate } from "../host/private.js";
import { type Identity, liveness, ownIdentity } from "../stores/liveness.js";

const { O_RDWR, O_WRONLY, O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;

/** How often a queue may be replaced under one that wants to stand in it. */
const TURNS = 100;
/** Longer queues are not read: a holder leaves one line. */
const QUEUE_BYTES_MAX = 1 << 20;

interface Line extends Identity {
  /** Tells two attempts of one process apart; "" in locks of before this format. */
  nonce: string;
}

type Lives = (process: Identity) => boolean;

/** A held lock. */
export interface Held {
  file: string;
  inode: bigint;
}

export class StoreLock {
  readonly #held: Held;

  /**
   * @throws Error when another memdb has the path, or nothing can be written
   * there; the message is one line for the user.
   */
  constructor(path: string) {
    const steps = acquire(path, ownIdentity(), (process) => liveness(process) === "running");
    let step = steps.next();
    while (!step.done) step = steps.next();
    this.#held = step.value;
  }

  release(): void {
    release(this.#held);
  }
}

/** Takes the lock for a process. It stops wherever another may come in between, so that a test can try every order. */
export function* acquire(
  path: string,
  { pid, start, namespace, bootId }: Identity,
  lives: Lives,
): Generator<void, Held> {
  const file = `${path}.lock`;
  const nonce = randomBytes(16).toString("hex");
  const line = `${pid} ${start} ${namespace} ${Buffer.from(bootId).toString("hex")} ${nonce}\n`;
  for (let turn = 0; turn < TURNS; turn++) {
    const queue = open(path, file);
    try {
      yield;
      let first = firstLiving(queue, file, lives);
      const appended = first === undefined;
      if (appended) {
        yield;
        append(queue, file, line);
        yield;
        first = firstLiving(queue, file, lives);
      }
      yield;
      const { ino } = fstatSync(queue, { bigint: true });
      if (there(file)?.ino !== ino) continue;
      if (first?.nonce === nonce) {
        yield;
        return { file, inode: readFrom(queue) === line ? ino : replace(file, nonce, line) };
      }
      if (appended) append(queue, file, `- ${nonce}\n`);
      const who = first === undefined ? "another memdb" : `another memdb (pid ${first.pid})`;
      throw new Error(`${path}: ${who} keeps its stores there; name another path or end it`);
    } finally {
      closeSync(queue);
    }
  }
  throw new Error(`${path}: other memdbs come and go there; name another path`);
}

function append(queue: number, file: string, text: string): void {
  try {
    writeSync(queue, text);
  } catch (error) {
    throw new Error(`${file}: cannot be written (${whyNotWritten(error)})`);
  }
}

/** Gives it back; not what another one took over from a process that it could not see. */
export function release({ file, inode }: Held): void {
  // Its folder may be gone by now.
  if (there(file)?.ino === inode) rmSync(file, { force: true });
}

function open(path: string, file: string): number {
  let queue: number;
  try {
    // Without O_NONBLOCK a planted pipe would make this wait.
    queue = openSync(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (error) {
    if (there(file)) throw foreign(file);
    throw new Error(`${path}: nothing can be written there (${whyNotWritten(error)})`);
  }
  const status = fstatSync(queue);
  // Without a name it has just been given back.
  if (status.nlink === 0 || isPrivate(status)) return queue;
  closeSync(queue);
  throw foreign(file);
}

function foreign(file: string): Error {
  return new Error(`${file}: there is something that is no memdb's; remove it or name another path`);
}

function there(file: string): BigIntStats | undefined {
  return lstatSync(file, { bigint: true, throwIfNoEntry: false });
}

/** The queue with one line; gives its inode. */
function replace(file: string, nonce: string, line: string): bigint {
  const temporary = `${file}.${nonce}`;
  const queue = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    writeSync(queue, line);
    renameSync(temporary, file);
    return fstatSync(queue, { bigint: true }).ino;
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new Error(`${file}: cannot be written (${whyNotWritten(error)})`);
  } finally {
    closeSync(queue);
  }
}

/** All of it, whatever the file's position. */
function readFrom(queue: number): string {
  const bytes = Buffer.alloc(Math.min(fstatSync(queue).size, QUEUE_BYTES_MAX));
  return bytes.toString("latin1", 0, readSync(queue, bytes, 0, bytes.length, 0));
}

function firstLiving(queue: number, file: string, lives: Lives): Line | undefined {
  const lines = readFrom(queue).split("\n");
  if (lines.pop() !== "") throw foreign(file);
  const givenUp = new Set<string>();
  const waiting: Line[] = [];
  for (const text of lines) {
    const [, gone] = /^- ([0-9a-f]{32})$/.exec(text) ?? [];
    const [, pid, start, namespace, bootId, nonce] =
      /^(\d+) (\d+) (\d+) ([0-9a-f]{32})(?: ([0-9a-f]{32}))?$/.exec(text) ?? [];
    if (gone !== undefined) givenUp.add(gone);
    else if (pid === undefined) throw foreign(file);
    else {
      waiting.push({
        pid: Number(pid),
        start: BigInt(start!),
        namespace: BigInt(namespace!),
        bootId: Buffer.from(bootId!, "hex"),
        nonce: nonce ?? "",
      });
    }
  }
  return waiting.find((each) => !givenUp.has(each.nonce) && lives(each));
}
