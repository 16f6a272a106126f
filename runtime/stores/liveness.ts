// Whether the process of a store is still alive.
//
// A pid alone says nothing: it is reused, and it is unique only in its pid namespace. It is the same process if boot,
// machine, namespace and start time are the same. What the store does not know (zeros) is not compared.
//
// A viewer outside of a container sees its processes under other pids, and finds them by the pid they have inside. A
// viewer that cannot see the process at all (another container, another machine) cannot know that it has ended.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { clock, startOf, ticksAhead } from "../host/clock.js";
import { isRefused } from "../host/host.js";

export interface Identity {
  pid: number;
  /** Clock ticks since boot, without the offset of a time namespace; 0n: unknown. */
  start: bigint;
  /** Inode of the pid namespace; 0n unknown. */
  namespace: bigint;
  /** 16 bytes; zeros unknown. */
  bootId: Uint8Array;
}

/** "invisible": it may be running where this process cannot look. */
export type Liveness = "running" | "gone" | "invisible";

export function liveness(identity: Identity): Liveness {
  const found = whereIs(identity);
  return typeof found === "number" ? "running" : found;
}

/** The process's pid here. */
export function whereIs(identity: Identity): number | "gone" | "invisible" {
  if (!sameBoot(identity.bootId)) return "gone";
  const mine = namespaceOf("self");
  if (identity.namespace === 0n || mine === 0n || identity.namespace === mine) {
    return isProcess(String(identity.pid), identity) ? identity.pid : "gone";
  }
  for (const pid of listed("/proc")) {
    if (!/^\d+$/.test(pid) || namespaceOf(pid) !== identity.namespace) continue;
    const inside = /^NSpid:.*\s(\d+)$/m.exec(text(`/proc/${pid}/status`))?.[1];
    if (inside === String(identity.pid) && isProcess(pid, identity)) return Number(pid);
  }
  return "invisible";
}

/** The identity of this process. */
export function ownIdentity(): Identity {
  return { ...identityAt("self"), pid: process.pid };
}

/** The identity of the process that /proc shows by this number, or as "self". */
export function identityAt(name: string): Identity {
  return {
    pid: Number(name),
    start: startOf(text(`/proc/${name}/stat`)) - ticksAhead(),
    namespace: namespaceOf(name),
    bootId: Buffer.from(clock.bootId(), "hex"),
  };
}

function sameBoot(bootId: Uint8Array): boolean {
  const stored = Buffer.from(bootId).toString("hex");
  const current = clock.bootId();
  return /^0*$/.test(stored) || current === "" || stored === current;
}

/** Whether /proc/`pid` is the process and has a thread that runs. */
function isProcess(pid: string, identity: Identity): boolean {
  const stat = text(`/proc/${pid}/stat`);
  if (stat === "") return isHidden(Number(pid));
  return statLives(stat, identity.start === 0n ? 0n : identity.start + ticksAhead());
}

/** Whether there is such a process of another user that /proc, mounted with hidepid, does not show. */
function isHidden(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * The same by the text of /proc/PID/stat; a start of 0n is any. preload/base/process.c is the other implementation;
 * test/vectors/liveness holds both to one meaning.
 */
export function statLives(stat: string, started: bigint): boolean {
  // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, threads, start] = [fields[0], fields[17], fields[19]];
  if (!stat.includes(")") || start === undefined) return false;
  // A zombie has ended and only waits for its parent, unless it is a main thread that ended before others.
  if ((state === "Z" || state === "X") && Number(threads) <= 1) return false;
  return started === 0n || BigInt(start) === started;
}

function namespaceOf(pid: string): bigint {
  try {
    return BigInt(/\d+/.exec(readlinkSync(`/proc/${pid}/ns/pid`))?.[0] ?? 0);
  } catch {
    return 0n;
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch (error) {
    // Deno shows /proc only to who may do all.
    if (isRefused(error)) throw error;
    return "";
  }
}

function listed(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
