// The sums in the header block: thread totals and the timeline. To be used only after checkHeader.

import {
  HEADER_THREAD_SLOTS,
  HEADER_TIMELINE_COUNT,
  THREAD_BYTES,
  THREADS_OFFSET,
  TIMELINE_BYTES,
  TIMELINE_OFFSET,
  TIMELINE_TIME,
} from "../layout";
import { HEADER } from "./memory";

/** Sum over all thread slots of the 64-bit counter at offset `field`. */
export function sumThreads(field: u32): u64 {
  let sum: u64 = 0;
  const slots = load<u32>(HEADER, HEADER_THREAD_SLOTS);
  for (let slot: u32 = 0; slot < slots; slot++) {
    sum += load<u64>(HEADER + THREADS_OFFSET + slot * THREAD_BYTES + field);
  }
  return sum;
}

/**
 * Drops timeline entries that are out of order and returns how many are left. The writer halves a full timeline in
 * place; whoever looks meanwhile (or after a kill meanwhile) sees old entries behind new ones.
 */
export function tidyTimeline(): u32 {
  const start = HEADER + TIMELINE_OFFSET;
  const count = load<u32>(HEADER, HEADER_TIMELINE_COUNT);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const entry = start + i * TIMELINE_BYTES;
    const last = start + (kept - 1) * TIMELINE_BYTES;
    if (kept && load<u64>(entry, TIMELINE_TIME) <= load<u64>(last, TIMELINE_TIME)) continue;
    memory.copy(start + kept * TIMELINE_BYTES, entry, TIMELINE_BYTES);
    kept++;
  }
  store<u32>(HEADER, kept, HEADER_TIMELINE_COUNT);
  return kept;
}
