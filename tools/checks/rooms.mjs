// The rooms of the code, and which other rooms each may use. ARCHITECTURE.md has a picture of them.
//
// A file is in the room whose pattern its path matches first. "node:" are built-in modules, "npm:" dependencies.

/** What a room of runtime/ may use of the other rooms there. */
const RUNTIME = {
  host: [],
  stores: ["host"],
  symbols: ["stores", "host"],
  reports: ["symbols", "stores", "host"],
  snapshots: ["reports", "symbols", "stores", "host"],
  exports: ["snapshots", "reports", "symbols", "stores", "host"],
  memdb: ["stores", "host"],
  programs: ["symbols", "stores", "host"],
  reach: ["reports", "symbols", "stores", "host"],
};

const OUTSIDE_RUNTIME = [/^build\/wasm\//, /^asm\/(.*\/)?layout\.ts$/, /^node:/, /^npm:/];

/** @type {[room: RegExp, mayUse: RegExp[]][]} */
export const ARROWS = [
  [/^asm\/layout\.ts$/, []],
  ...["core", "symbols", "memdb", "reach"].map((room) => [
    new RegExp(`^asm/${room}/`),
    [new RegExp(`^asm/(${room}/|layout\\.ts$)`)],
  ]),
  ...Object.entries(RUNTIME).map(([room, below]) => [
    new RegExp(`^runtime/${room}/`),
    [...[room, ...below].map((name) => new RegExp(`^runtime/${name}/`)), ...OUTSIDE_RUNTIME],
  ]),
  [/^api\//, [/^api\//, /^runtime\//]],
  // The modules that the launchers load; only they know the commands.
  [/^cli\/(memview|memhook|memdb)\.ts$/, [/^cli\//, /^runtime\//, /^node:/, /^npm:/]],
  [/^cli\//, [/^cli\/(?!commands\/)/, /^runtime\//, /^node:/, /^npm:/]],
  [/^(test|bench)\//, [/./]],
  // From what is built they take the programs' definitions.
  [/^tools\//, [/^tools\//, /^dist\/cli\//, /^node:/]],
];

/** The library's rooms: each may use itself and those behind it. */
export const LIBRARY = ["hooks", "life", "send", "records", "unwind", "stacks", "index", "threads", "store", "base"];

/** Whose files are all in rooms. */
export const HALLS = [/^asm\//, /^runtime\//];
