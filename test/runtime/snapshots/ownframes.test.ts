// The user's own code in the call stacks of a snapshot, by the names, files and modules of their frames.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ownFrame } from "../../../runtime/snapshots/ownframes.js";

const frame = (name: string | null, module: string, file: string | null, line: number | null = null) => ({
  ...{ function: name, module, file, line },
});
const places: [what: string, stack: ReturnType<typeof frame>[], place: string | undefined][] = [
  ["past allocators", [frame("zmalloc", "app", "src/z.c", 3), frame("create", "app", "src/o.c", 9)], "create"],
  [
    "past a library that has no sources",
    [frame("sqlite3_step", "libsqlite3.so.0", null), frame("query", "app", "src/db.c", 4)],
    "query",
  ],
  [
    "past Rust's registry",
    [frame("push", "app", "/srv/me/.cargo/registry/src/x/lib.rs", 1), frame("serve", "app", "src/main.rs", 2)],
    "serve",
  ],
  [
    "past HotSpot's wrapper, the one in a namespace",
    [frame("_ZN2os6mallocEm8MEMFLAGS", "app", "src/os.cpp", 3), frame("_ZN4shop4makeEv", "app", "src/shop.cc", 4)],
    "_ZN4shop4makeEv",
  ],
  [
    "what is called as a wrapper is, but in a namespace",
    [frame("_ZN4shop7xmallocEm", "app", "src/shop.cc", 3), frame("main", "app", "src/main.cc", 4)],
    "_ZN4shop7xmallocEm",
  ],
  ["past an interpreter", [frame("node::Start", "node", "src/node.cc", 7), frame("hook", "a.node", "h.cc", 1)], "hook"],
  ["where nothing is own", [frame("strdup", "libc.so.6", null), frame("zcalloc", "libz.so.1", null)], "zcalloc"],
  ["an unknown stack", [], undefined],
];
for (const [what, stack, place] of places) {
  test(`own code: ${what}`, () => {
    assert.equal(ownFrame({ stack })?.function, place);
  });
}
