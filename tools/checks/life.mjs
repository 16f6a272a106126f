// No file of the library is missing in the table of life (preload/life/table.c). A file that keeps something between
// calls says there what becomes of it when memhook starts, and in a child of fork. A file with a lock says what becomes
// of the lock when its holder is gone. This is checked as far as the text shows it.

import { files, lineOf, read, withoutComments } from "./tree.mjs";

/** @typedef {import("./tree.mjs").Violation} Violation */

const TABLE = "preload/life/table.c";

/** Variables that live as long as the process and are written to: a file's, a function's, and of a structure's type. */
const STATE = [
  /^[ \t]*static (?!const\b|inline\b|__attribute__)(?:(?!\*const)[^(;={}])*(?:=[^;]*)?;/m,
  /^\} *(?:__attribute__\(\([^;]*\)\) *)?\w+(?:\[[^;]*\])?(?: = [^;]*)?;/m,
  /^(?!static|extern|typedef|const|return|_Static_assert|__thread)\w[\w ]*[ *](?!const )\w+(?:\[[^\]]*\])*(?:;| = )/m,
  /^(?!static|extern|typedef)\w[\w ]*\(\*\w+\)\([^;]*\);/m,
];
const LOCK = /\bstruct mh_lock (?!\*)\w+(?:\[\w+\])?;|\bstruct mh_lock \w+, /;

/** The table's rows: ROW(room/file, what becomes of its lock, moments…). */
const ROW = /^ *ROW\(([\w/]+), (\w+)(,|\))/gm;

/** @returns {Violation[]} */
export function checkLife(root) {
  const sources = files(root, "preload").filter((path) => path.endsWith(".c"));
  if (!sources.includes(TABLE)) return [];
  const found = [];
  const table = withoutComments(read(root, TABLE));
  const rows = new Map();
  for (const match of table.matchAll(ROW)) {
    const [, name, lock, next] = match;
    const line = lineOf(table, match.index);
    if (rows.has(name)) found.push({ file: TABLE, line, what: `${name} has two rows` });
    if (!sources.includes(`preload/${name}.c`))
      found.push({ file: TABLE, line, what: `there is no preload/${name}.c` });
    rows.set(name, { lock, line, moments: next === "," });
  }
  for (const file of sources.filter((path) => path !== TABLE)) {
    const name = file.slice("preload/".length, -".c".length);
    const code = withoutComments(read(root, file));
    const row = rows.get(name);
    const state = STATE.map((pattern) => pattern.exec(code)).find((match) => match);
    if (!row) {
      if (state)
        found.push({ file, line: lineOf(code, state.index), what: `keeps something, and has no row in ${TABLE}` });
      continue;
    }
    const says = (what) => found.push({ file: TABLE, line: row.line, what: `${name} ${what}` });
    if (!state && !row.moments) says("keeps nothing");
    const lock = LOCK.test(code);
    if (lock && row.lock === "NO_LOCK") says("has a lock");
    if (!lock && row.lock !== "NO_LOCK") says("has no lock");
    const repairs = code.includes("MH_LOCK_TAKEN_OVER");
    if (lock && row.lock === "REPAIRED" && !repairs) says("does not look whether its lock was taken over");
    if (lock && row.lock === "RESTARTED" && repairs) says("repairs what its lock protects");
  }
  return found;
}
