// Circles: files that need each other must be understood, changed and tested together, whatever their names say.

/** @typedef {import("./tree.mjs").Violation} Violation */

/**
 * Each circle once, as a violation of the file in it that is first by name; the way around is the shortest from there.
 *
 * @param {Map<string, { file?: string, to: string, line: number }[]>} uses what each file uses, and where it says so;
 *   of a part of several files, in which of them
 * @param {string} verb "imports" or "includes"
 * @returns {Violation[]}
 */
export function circles(uses, verb) {
  const found = [];
  const told = new Set();
  for (const start of [...uses.keys()].sort()) {
    const way = told.has(start) ? null : wayBack(uses, start, told);
    if (!way) continue;
    for (const file of way) told.add(file);
    const { file = start, line } = uses.get(start).find(({ to }) => to === way[0]);
    found.push({ file, line, what: `${verb} in a circle: ${[start, ...way].join(" → ")}` });
  }
  return found;
}

/** The shortest way from a file to itself, without the first step's beginning; null if there is none. */
function wayBack(uses, start, told) {
  const from = new Map();
  const queue = [start];
  for (const file of queue) {
    for (const { to } of uses.get(file) ?? []) {
      if (told.has(to) || from.has(to)) continue;
      from.set(to, file);
      if (to === start) {
        const way = [];
        for (let at = start; way.length === 0 || at !== start; at = from.get(at)) way.unshift(at);
        return way;
      }
      queue.push(to);
    }
  }
  return null;
}
