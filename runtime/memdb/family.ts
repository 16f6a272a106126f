// Whether an ended process may be an ancestor of a newcomer. Then its store is not one of an old run, and must not be
// replaced. The library checks more (preload/store/family.c), because it can look at its ancestors. This file uses only
// a store and the newcomer's identity: an ancestor was alive when its child was made.
//
//     owner     start ├───────────────┤ end, and the newest process id then
//     newcomer              ├──────          may descend
//     newcomer                            ├──────  a later run

import * as L from "../../asm/layout.js";
import { TICK } from "../host/clock.js";
import type { Identity } from "../stores/liveness.js";

/**
 * Starts count while a machine is suspended, and the times of a store before 1.4 do not; and a start is known to a
 * tick. Within this, process ids tell the order.
 */
const UNSURE_NS = 1_000_000_000n;
/** Ids begin anew from a low number when they have come to the end, which is 32768 or higher. */
const PIDS_WITHIN = 16384;

/** Of two processes made in the same tick, whether the one with this id came first. */
function cameFirst(pid: number, other: number): boolean {
  return pid < other ? other - pid < PIDS_WITHIN : pid - other >= PIDS_WITHIN;
}

/** `owner`: the header page of an ended process's store on the same machine, in the same pid namespace. */
export function mayDescend(newcomer: Identity, owner: DataView): boolean {
  const start = owner.getBigUint64(L.HEADER_PROCESS_START, true);
  const pid = owner.getUint32(L.HEADER_PID, true);
  if (start === 0n || newcomer.start < start || newcomer.pid === pid) return false;
  if (newcomer.start === start && cameFirst(newcomer.pid, pid)) return false;
  const time = (field: number) => owner.getBigUint64(field, true);
  const began = time(L.HEADER_START_BOOTTIME) || time(L.HEADER_START_MONOTONIC);
  const end = began + time(L.HEADER_END_TIME) + time(L.HEADER_SUSPENDED) - time(L.HEADER_START_SUSPENDED);
  const made = newcomer.start * TICK;
  if (made > end + UNSURE_NS) return false;
  if (made + UNSURE_NS < end) return true;
  const newest = owner.getUint32(L.HEADER_END_NEWEST_PID, true);
  return newcomer.pid <= newest && newest - newcomer.pid < PIDS_WITHIN;
}
