// Which user a connection belongs to: the kernel's answer for the socket at its other end, if that is on this machine.
//
// Linux lists the TCP sockets of a network namespace in /proc/net/tcp and tcp6, with their users:
//
//     sl  local_address rem_address   st … uid timeout inode
//      7: 0100007F:C6A4 0100007F:4E2F 01 … 1000       0 88213
//
// The peer's socket is the entry whose local address is our remote address, and the other way round. Only an entry that
// is connected (01) and open (has an inode) has the right user: for others the kernel says 0. A peer on another machine
// or in another network namespace is in no table here.

import { type FileHandle, open, readFile } from "node:fs/promises";
import { isIPv4 } from "node:net";

/** The two ends of a connection, as an accepted socket names them. */
export interface Ends {
  localAddress?: string | undefined;
  localPort?: number | undefined;
  remoteAddress?: string | undefined;
  remotePort?: number | undefined;
}

const PIECE_BYTES = 65536;
/**
 * The kernel gives a table in pieces, and between two of them an entry may move
 * into one that was given: then it is looked for again.
 */
const LOOKS = 3;
const ESTABLISHED = "01";

interface Wanted {
  /** The contents of the entry's line, in each table. */
  tcp: string | undefined;
  tcp6: string;
  user: number | undefined;
}

interface Asked extends Wanted {
  answer(user: number | undefined): void;
}

/** Looks users up, all pending requests at once, so that many connections cost no more than one. */
export class Users {
  #asked: Asked[] = [];
  #looking = false;

  /** The user of the socket at the other end; undefined if it is not visible from here. */
  of(ends: Ends): Promise<number | undefined> {
    const wanted = wantedOf(ends);
    if (!wanted) return Promise.resolve(undefined);
    return new Promise((answer) => {
      this.#asked.push({ ...wanted, answer });
      void this.#look();
    });
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    while (this.#asked.length > 0) {
      const batch = this.#asked;
      this.#asked = [];
      const overflow = await overflowUser();
      for (let look = 0; look < LOOKS && batch.some(({ user }) => user === undefined); look++) {
        await search("tcp", batch);
        await search("tcp6", batch);
      }
      for (const { user, answer } of batch) answer(user === overflow ? undefined : user);
    }
    this.#looking = false;
  }
}

/**
 * In a user namespace, everybody that has no number there has this one. undefined where all users have their numbers.
 */
async function overflowUser(): Promise<number | undefined> {
  const map = await readFile("/proc/self/uid_map", "latin1").catch(() => "");
  if (/^\s*0\s+0\s+4294967295\s*$/.test(map)) return undefined;
  return Number(await readFile("/proc/sys/kernel/overflowuid", "latin1").catch(() => "65534"));
}

async function search(table: "tcp" | "tcp6", batch: readonly Wanted[]): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(`/proc/net/${table}`);
  } catch {
    // Without IPv6 there is no such table.
    return;
  }
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let rest = ""; ; ) {
      const { bytesRead } = await file.read(piece, 0, PIECE_BYTES, null);
      if (bytesRead === 0) return;
      const text = rest + piece.toString("latin1", 0, bytesRead);
      const end = text.lastIndexOf("\n") + 1;
      for (const wanted of batch) {
        const entry = wanted[table];
        const at = entry === undefined ? -1 : text.indexOf(entry);
        if (at >= 0 && at < end) wanted.user ??= userIn(text.slice(at, text.indexOf("\n", at)));
      }
      rest = text.slice(end);
    }
  } catch {
    // What cannot be read says nothing.
  } finally {
    await file.close();
  }
}

/** The user in an entry, from its local address on; undefined for a closed socket. */
function userIn(entry: string): number | undefined {
  const [, , state, , , , user, , inode] = entry.trim().split(/\s+/);
  return state === ESTABLISHED && inode !== "0" ? Number(user) : undefined;
}

function wantedOf({ localAddress, localPort, remoteAddress, remotePort }: Ends): Wanted | undefined {
  if (!localAddress || !remoteAddress || localPort === undefined || remotePort === undefined) return undefined;
  const [ours, theirs] = [plain(localAddress), plain(remoteAddress)];
  const entry = (hex: (address: string) => string) =>
    ` ${hex(theirs)}:${port(remotePort)} ${hex(ours)}:${port(localPort)} `;
  return { tcp: isIPv4(ours) && isIPv4(theirs) ? entry(hex4) : undefined, tcp6: entry(hex6), user: undefined };
}

/** Without what a socket for both kinds of addresses puts before IPv4's, and without the interface. */
function plain(address: string): string {
  const bare = address.replace(/%.*$/, "");
  const mapped = bare.replace(/^::ffff:/i, "");
  return isIPv4(mapped) ? mapped : bare;
}

function port(number: number): string {
  return number.toString(16).toUpperCase().padStart(4, "0");
}

/**
 * The kernel prints an address as words in the processor's order; that of all
 * processors that memhook is for is little-endian.
 */
function hex4(address: string): string {
  return words(Uint8Array.from(address.split("."), Number));
}

function hex6(address: string): string {
  const bytes = new Uint8Array(16);
  if (isIPv4(address)) {
    bytes.set([0xff, 0xff], 10);
    bytes.set(address.split(".").map(Number), 12);
  } else {
    const [front = "", back] = address.split("::");
    const groups = (text: string) => (text === "" ? [] : text.split(":"));
    const [head, tail] = [groups(front), groups(back ?? "")];
    const zeros = back === undefined ? 0 : 8 - head.length - tail.length;
    for (const [i, group] of [...head, ...Array<string>(zeros).fill("0"), ...tail].entries()) {
      new DataView(bytes.buffer).setUint16(2 * i, Number.parseInt(group, 16));
    }
  }
  return words(bytes);
}

function words(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 4) text += view.getUint32(at, true).toString(16).padStart(8, "0");
  return text.toUpperCase();
}
