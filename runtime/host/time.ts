// Points in time as memhook prints them.

let secondOfLastTime = -1n;
let textOfThatSecond = "";

/**
 * Nanoseconds since 1970 as "2026-11-22T21:03:14.123456789Z". Rows often share
 * their second, so the last one is remembered.
 */
export function isoTime(wall: bigint): string {
  const fraction = wall % 1_000_000_000n;
  const second = wall / 1_000_000_000n;
  if (second !== secondOfLastTime) {
    textOfThatSecond = new Date(Number(second) * 1000).toISOString().slice(0, 19);
    secondOfLastTime = second;
  }
  return `${textOfThatSecond}.${fraction.toString().padStart(9, "0")}Z`;
}
