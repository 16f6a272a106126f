// The times of a store: the relative time of now, and the wall time of a relative time.
//
//     relative time   0 ├────────────┤  suspended  ├─────▶ now            CLOCK_MONOTONIC of the process
//     boot clock        ├────────────┼─────────────┼─────▶
//     wall clock        ├────────────┼─────────────┼── set ──┼─────▶       START_WALL, and jumps
//
// Now is known only on the same boot of the same machine. Elsewhere a store's now is when it was last written.

import * as L from "../../asm/layout.js";
import { clock, TICK } from "../host/clock.js";
import type { StoreImage } from "./image.js";

/** Now, in relative time. If `known` is false, now is not known, and this is when the store was last written. */
export interface StoreNow {
  time: bigint;
  known: boolean;
}

/** /proc/uptime may lag by a hundredth of a second. If it lags by more than this, the clocks disagree. */
const BEHIND_NS = 1_000_000_000n;

/** Now, in relative time; null for another boot or machine. It is at least `written`. */
export function timeNow(image: StoreImage, written: bigint): bigint | null {
  const boot = clock.boot();
  if (boot === null || bootIdOf(image) !== clock.bootId()) return null;
  // Stores before 1.4 have only the other clock, which lacks what the machine slept before.
  const start = image.u64(L.HEADER_START_BOOTTIME) || image.u64(L.HEADER_START_MONOTONIC);
  const elapsed = boot - start;
  if (elapsed + BEHIND_NS < written) return null;
  // What the writer saw is certain. What this runtime sees besides may be so where nothing was written meanwhile.
  const seen = image.u64(L.HEADER_SUSPENDED);
  const most = elapsed - written + image.u64(L.HEADER_START_SUSPENDED);
  const told = clock.suspended();
  const suspended = told !== null && told > seen && told <= most ? told : seen;
  const now = elapsed - (suspended - image.u64(L.HEADER_START_SUSPENDED));
  return now < written ? written : now;
}

/** Whether the times of the store begin after that time of this boot. */
export function beganAfter(image: StoreImage, boot: bigint): boolean {
  const bootId = bootIdOf(image);
  if (!/^0*$/.test(bootId) && bootId !== clock.bootId()) return false;
  // To the end of the tick, where there is no more than that.
  return (image.u64(L.HEADER_START_BOOTTIME) || (image.u64(L.HEADER_PROCESS_START) + 1n) * TICK) >= boot;
}

function bootIdOf(image: StoreImage): string {
  return Buffer.from(image.headerBytes(L.HEADER_BOOT_ID, 16)).toString("hex");
}

/**
 * The newest of the times that the header has and of one that is known: when the store was written last, at the least.
 */
export function newestInHeader(image: StoreImage, known = 0n): bigint {
  const fields = [L.HEADER_SEEN_TIME, L.HEADER_END_TIME, L.HEADER_PEAK_TIME];
  const entries = Math.min(image.u32(L.HEADER_TIMELINE_COUNT), L.TIMELINE_MAX_COUNT);
  if (entries > 0) fields.push(L.TIMELINE_OFFSET + (entries - 1) * L.TIMELINE_BYTES + L.TIMELINE_TIME);
  let newest = known;
  for (const field of fields) if (image.u64(field) > newest) newest = image.u64(field);
  return newest;
}

/** From this relative time on, the wall clock continued from `wall`. */
interface Stretch {
  time: bigint;
  wall: bigint;
}

/** The first begins with the store, the others with a jump of the wall clock. */
function stretches(image: StoreImage): Stretch[] {
  const found = [{ time: 0n, wall: image.u64(L.HEADER_START_WALL) }];
  const count = Math.min(image.u32(L.HEADER_JUMP_COUNT), L.JUMP_MAX_COUNT);
  for (let at = L.HEADER_JUMPS; found.length <= count; at += L.JUMP_BYTES) {
    found.push({ time: image.u64(at + L.JUMP_TIME), wall: image.u64(at + L.JUMP_WALL) });
  }
  return found;
}

/** A relative time as nanoseconds since 1970. */
export function wallTime(image: StoreImage, relative: bigint): bigint {
  // Of a million rows each asks, and hardly a store has jumps.
  if (image.u32(L.HEADER_JUMP_COUNT) === 0) return image.u64(L.HEADER_START_WALL) + relative;
  const { time, wall } = stretches(image).findLast((each) => each.time <= relative)!;
  return wall + relative - time;
}

/**
 * The relative time of a wall time. A wall clock that was put back shows some times
 * twice, one that was put forward leaves some out: `earlier` is the first relative time
 * with that wall time or a later one, `later` the last with that or an earlier one.
 */
export function relativeTime(image: StoreImage, wall: bigint, which: "earlier" | "later"): bigint {
  const all = stretches(image);
  const ends = all.map((_, i) => all[i + 1]?.time);
  const within = ({ time, wall: from }: Stretch) => time + wall - from;
  if (which === "earlier") {
    const i = all.findIndex((stretch, at) => ends[at] === undefined || within(stretch) < ends[at]);
    const time = within(all[i]!);
    return i > 0 && time < all[i]!.time ? all[i]!.time : time;
  }
  const i = Math.max(
    0,
    all.findLastIndex(({ wall: from }) => from <= wall),
  );
  const time = within(all[i]!);
  const end = ends[i];
  return end !== undefined && time >= end ? end - 1n : time;
}
