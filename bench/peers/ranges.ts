// Sets of addresses, as ranges that do not touch each other, ascending.

export type Ranges = [start: number, end: number][];

/** Takes start to end out of the set, and gives what was there. */
export function cut(ranges: Ranges, start: number, end: number): Ranges {
  const taken: Ranges = [];
  const left: Ranges = [];
  for (const [from, to] of ranges) {
    if (to <= start || from >= end) {
      left.push([from, to]);
      continue;
    }
    if (from < start) left.push([from, start]);
    if (to > end) left.push([end, to]);
    taken.push([Math.max(from, start), Math.min(to, end)]);
  }
  ranges.splice(0, ranges.length, ...left);
  return taken;
}

/** Adds start to end to the set. */
export function add(ranges: Ranges, start: number, end: number): void {
  const touching = ranges.filter(([from, to]) => from <= end && to >= start);
  const from = Math.min(start, ...touching.map((range) => range[0]));
  const to = Math.max(end, ...touching.map((range) => range[1]));
  cut(ranges, from, to);
  ranges.push([from, to]);
  ranges.sort((a, b) => a[0] - b[0]);
}

/** How many addresses of the one set are not in the other. */
export function without(ranges: Ranges, others: Ranges): number {
  const left: Ranges = [...ranges];
  for (const [from, to] of others) cut(left, from, to);
  return left.reduce((bytes, [from, to]) => bytes + to - from, 0);
}
