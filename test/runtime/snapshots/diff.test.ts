// diff: what is matched with what. diff-laws.test.ts has the laws that hold for any two snapshots.

import assert from "node:assert/strict";
import { test } from "node:test";
import { diff, more } from "../../../runtime/snapshots/diff.js";
import type { Snapshot } from "../../../runtime/snapshots/snapshot.js";
import { held, snapshot } from "../../support/snapshots.js";

/** Each change in a word: "grown +8 leak:12". */
function told(base: Snapshot, head: Snapshot): string[] {
  return diff(base, head).changes.map((change) => {
    const { function: name, line } = change.row.stack[0] ?? { function: "?", line: null };
    const moved = change.movedFrom ? `, from ${change.movedFrom.stack[0]?.line}` : "";
    const or = (change.or ?? []).map(({ stack }) => ` or ${stack.map((frame) => frame.line).join("<")}`).join("");
    return `${change.status} ${more(change).bytes} ${name}:${line}${moved}${or}`;
  });
}

const LOST = { cut: true, lost: true } as const;
const MAIN = "main@src/main.c:9";

const cases: [string, Snapshot, Snapshot, string[]][] = [
  ["nothing", snapshot(), snapshot(), []],
  [
    "each status, the largest growth first",
    snapshot(held(1, 8, "a@a.c:1"), held(1, 8, "b@a.c:2"), held(2, 16, "c@a.c:3"), held(1, 99, "d@a.c:4")),
    snapshot(held(1, 8, "a@a.c:1"), held(2, 16, "b@a.c:2"), held(1, 8, "c@a.c:3"), held(1, 24, "e@a.c:5")),
    ["new 24 e:5", "grown 8 b:2", "unchanged 0 a:1", "shrunk -8 c:3", "fixed -99 d:4"],
  ],
  [
    "as many bytes in more blocks is growth",
    snapshot(held(1, 16, "a@a.c:1")),
    snapshot(held(2, 16, "a@a.c:1")),
    ["grown 0 a:1"],
  ],
  [
    "another folder is the same code",
    snapshot(held(1, 8, "a@/checkout/one/src/a.c:1", MAIN)),
    snapshot(held(1, 8, "a@/checkout/two/src/a.c:1", MAIN)),
    ["unchanged 0 a:1"],
  ],
  [
    "two folders that become one add up",
    snapshot(held(1, 8, "a@x/a.c:1"), held(1, 8, "a@y/a.c:1")),
    snapshot(held(2, 24, "a@z/a.c:1")),
    ["grown 8 a:1"],
  ],
  [
    "lines that moved",
    snapshot(held(1, 8, "a@a.c:10", MAIN)),
    snapshot(held(1, 8, "a@a.c:12", MAIN)),
    ["unchanged 0 a:12, from 10"],
  ],
  [
    "lines that moved, and one more in the same function: those that hold the same belong together",
    snapshot(held(1, 8, "a@a.c:10", MAIN)),
    snapshot(held(1, 24, "a@a.c:5", MAIN), held(1, 8, "a@a.c:12", MAIN)),
    ["new 24 a:5", "unchanged 0 a:12, from 10"],
  ],
  [
    "the order of lines is that of the calls, wherever what they call allocates",
    snapshot(held(1, 8, "grow@vec.h:90", "a@a.c:10", MAIN)),
    snapshot(held(1, 8, "grow@vec.h:90", "a@a.c:12", MAIN), held(1, 8, "grow@vec.h:80", "a@a.c:13", MAIN)),
    ["new 8 grow:80 or 90<12<9", "unchanged 0 grow:90, from 90"],
  ],
  [
    "lines that moved, and one more where the known one was",
    snapshot(held(1, 8, "a@a.c:10", MAIN), held(1, 16, "a@a.c:11", MAIN)),
    snapshot(held(1, 24, "a@a.c:10", MAIN), held(1, 8, "a@a.c:11", MAIN), held(1, 16, "a@a.c:12", MAIN)),
    ["new 24 a:10", "unchanged 0 a:11, from 10", "unchanged 0 a:12, from 11"],
  ],
  [
    "a stack that holds more stays where it is, while another of the same functions is new",
    snapshot(held(1, 8, "a@a.c:10", MAIN)),
    snapshot(held(1, 24, "a@a.c:10", MAIN), held(1, 40, "a@a.c:12", MAIN)),
    ["new 40 a:12", "grown 16 a:10"],
  ],
  [
    "lines that moved and nothing holds the same: in the order of the lines",
    snapshot(held(1, 8, "a@a.c:10"), held(1, 80, "a@a.c:20")),
    snapshot(held(1, 9, "a@a.c:12"), held(1, 81, "a@a.c:22")),
    ["grown 1 a:12, from 10", "grown 1 a:22, from 20"],
  ],
  [
    "the same lines in another function are another stack",
    snapshot(held(1, 8, "a@a.c:10")),
    snapshot(held(1, 8, "b@a.c:10")),
    ["new 8 b:10", "fixed -8 a:10"],
  ],
  [
    "another caller is another stack",
    snapshot(held(1, 8, "a@a.c:10", MAIN)),
    snapshot(held(1, 16, "a@a.c:10", "other@a.c:30", MAIN)),
    ["new 16 a:10", "fixed -8 a:10"],
  ],
  [
    "a caller more, and all else the same: an optimizer left it out before",
    snapshot(held(1, 8, "a@a.c:10", MAIN)),
    snapshot(held(1, 8, "a@a.c:10", "other@a.c:30", MAIN)),
    ["unchanged 0 a:10, from 10"],
  ],
  [
    "a nameless place in the program is its name",
    snapshot(held(1, 8, "+0x10")),
    snapshot(held(1, 8, "+0x20")),
    ["new 8 +0x20:null", "fixed -8 +0x10:null"],
  ],
  [
    "a nameless place in a library moves with the library",
    snapshot(held(1, 8, "+0x10!libx.so.1")),
    snapshot(held(1, 8, "+0x20!libx.so.1")),
    ["unchanged 0 +0x20:null, from null"],
  ],
  [
    "another version of a library, with lines that move or not, and without any",
    snapshot(
      held(1, 8, "a@x/a.c:1!libx.so.1.2", MAIN),
      held(1, 16, "b@a.c:5!liby-0123456789abcdef.so", MAIN),
      held(1, 24, "c!libx.so.1.2", "d\u00e9!libx.so.1.2", MAIN),
    ),
    snapshot(
      held(1, 8, "a@y/a.c:1!libx.so.1.30", MAIN),
      held(1, 16, "b@a.c:7!liby-fedcba9876543210.so", MAIN),
      held(1, 24, "c!libx.so.2", "d\u00e9!libx.so.2", MAIN),
    ),
    ["unchanged 0 a:1", "unchanged 0 c:null, from null", "unchanged 0 b:7, from 5"],
  ],
  [
    "the C library with and without debug information",
    snapshot(held(1, 8, "strdup@string/strdup.c:42!libc.so.6", "__GI_x@string/x.h:1!libc.so.6", "a@a.c:1")),
    snapshot(held(1, 8, "strdup!libc.so.6", "a@a.c:1")),
    ["unchanged 0 strdup:null, from 42"],
  ],
  [
    "inlined functions have but their own names, and those of the standard library are laid out in any way",
    snapshot(
      held(1, 8, "_ZN3std8allocateEv@/usr/include/c++/12/new:9", "_ZZ4workvENKUlvE_clEv@a.cc:3", "_Z4workv@a.cc:4"),
      held(1, 8, "_ZN12_GLOBAL__N_14keepEv@a.cc:7", "_Z4workv@a.cc:8"),
    ),
    snapshot(held(1, 8, "operator()@a.cc:3", "work@a.cc:4"), held(1, 8, "keep@a.cc:7", "_Z4workv@a.cc:8")),
    ["unchanged 0 keep:7, from 7", "unchanged 0 operator():3, from 9"],
  ],
  [
    "functions that end with a call are left out",
    snapshot(held(1, 8, "make@a.c:1", "fill@a.c:5", "work@a.c:9", MAIN), held(1, 8, "fill@a.c:6", "work@a.c:9", MAIN)),
    snapshot(held(1, 8, "fill@a.c:5", MAIN), held(1, 8, "fill@a.c:6", MAIN)),
    ["unchanged 0 fill:6, from 6", "unchanged 0 fill:5, from 1"],
  ],
  [
    "what is left out and holds more is new",
    snapshot(held(1, 8, "make@a.c:1", "fill@a.c:5", MAIN)),
    snapshot(held(2, 16, "fill@a.c:5", MAIN)),
    ["new 16 fill:5", "fixed -8 make:1"],
  ],
  [
    "moved lines and little left are another stack",
    snapshot(held(1, 8, "make@a.c:1", "fill@a.c:5", "work@a.c:9", "main@a.c:20")),
    snapshot(held(1, 8, "main@a.c:21")),
    ["new 8 main:21", "fixed -8 make:1"],
  ],
  [
    "two functions that are told apart in one build alone",
    snapshot(held(2, 16, "_ZN3app4Work5usual17h0123456789abcdefE@a.rs:5", "main@a.rs:9")),
    snapshot(
      held(1, 8, "_RNvYNtCs1_3app5FirstNtB2_4Work5usualB2_@a.rs:5", "main@a.rs:9"),
      held(1, 8, "_RNvYNtCs1_3app6SecondNtB2_4Work5usualB2_@a.rs:5", "main@a.rs:9"),
    ),
    ["unchanged 0 _RNvYNtCs1_3app5FirstNtB2_4Work5usualB2_:5, from 5"],
  ],
  [
    "without lines, callers hold what was inlined into them",
    snapshot(held(1, 24, "make", "work", MAIN), held(1, 40, "fill", "work", MAIN), held(1, 8, "work", MAIN)),
    snapshot(held(3, 72, "work", MAIN)),
    ["unchanged 0 work:null, from null"],
  ],
  [
    "what was inlined, and a leak more",
    snapshot(held(1, 24, "make", "work", MAIN), held(1, 8, "work", MAIN)),
    snapshot(held(3, 72, "work", MAIN)),
    ["grown 64 work:null", "fixed -24 make:null"],
  ],
  [
    "with lines, what holds more and what holds less are two",
    snapshot(held(2, 48, "make@a.c:1", "work@a.c:5", MAIN), held(1, 24, "work@a.c:6", MAIN)),
    snapshot(held(1, 24, "make@a.c:1", "work@a.c:5", MAIN), held(2, 48, "work@a.c:6", MAIN)),
    ["grown 24 work:6", "shrunk -24 make:1"],
  ],
  [
    "a function inlined into two callers",
    snapshot(held(1, 8, "make", "a", MAIN), held(1, 16, "make", "b", MAIN), held(2, 8, "a", MAIN)),
    snapshot(held(3, 16, "a", MAIN), held(1, 16, "b", MAIN)),
    ["unchanged 0 b:null, from null", "unchanged 0 a:null, from null"],
  ],
  [
    "without lines, what one build inlined everywhere and the other did not, and the other way round",
    snapshot(held(2, 64, "object", "run", "main"), held(1, 8, "body", "task", "main"), held(1, 8, "a", "run", "main")),
    snapshot(
      held(1, 24, "run", "main"),
      held(1, 40, "work", "run", "main"),
      held(1, 8, "body", "run", "main"),
      held(1, 8, "a", "run", "main"),
    ),
    ["unchanged 0 a:null", "unchanged 0 body:null, from null"],
  ],
  ...[
    ["on another line of its caller", ["make@a.c:1", "work@a.c:5", MAIN], ["work@a.c:6", MAIN]],
    ["before what it called", ["make@a.c:1", "work@a.c:5", MAIN], ["make@a.c:2", MAIN]],
    ["behind a call more", ["work@a.c:5", MAIN], ["make@a.c:1", "work@a.c:6", MAIN]],
    ["by another line of main", ["make@a.c:1", "work@a.c:5", MAIN], ["make@a.c:1", "main@src/main.c:10"]],
    ["in code whose callers are lost", ["make@a.c:1", "work@a.c:5", MAIN], ["make@a.c:2"]],
    [
      "in a template, by another line",
      ["operator new@/usr/include/c++/12/new:9", "_Z4makev@a.cc:1", "_Z4workv@a.cc:5", MAIN],
      ["operator new@/usr/include/c++/12/new:9", "_Z4workv@a.cc:6", MAIN],
    ],
  ].map(([where, was, is]): [string, Snapshot, Snapshot, string[]] => {
    const lost = where === "in code whose callers are lost" ? LOST : {};
    const [had, has] = [held(1, 24, ...(was as string[])), { ...held(1, 24, ...(is as string[])), ...lost }];
    const at = ({ stack: [frame] }: typeof had) => `${frame!.function}:${frame!.line}`;
    return [
      `with lines, a leak that has gone and one as large ${where as string} are two`,
      snapshot(had),
      snapshot(has),
      [`new 24 ${at(has)}`, `fixed -24 ${at(had)}`],
    ];
  }),
  [
    "with lines, and a jump that became a call, where an edit has moved the lines around",
    snapshot(held(1, 24, "work@a.c:5", "main@b.c:9"), held(1, 8, "other@a.c:3", "main@b.c:8")),
    snapshot(held(1, 24, "work@a.c:9", "run@a.c:20", "main@b.c:9"), held(1, 8, "other@a.c:5", "main@b.c:8")),
    ["unchanged 0 other:5, from 3", "unchanged 0 work:9, from 5"],
  ],
  [
    "and where it has not",
    snapshot(held(1, 24, "work@a.c:5", "main@b.c:9"), held(1, 8, "other@a.c:3", "main@b.c:8")),
    snapshot(held(1, 24, "work@a.c:9", "run@a.c:20", "main@b.c:9"), held(1, 8, "other@a.c:3", "main@b.c:8")),
    ["new 24 work:9", "unchanged 0 other:3", "fixed -24 work:5"],
  ],
  [
    "functions of the same code, no longer folded, where an edit has moved the lines around",
    snapshot(held(1, 24, "a@a.c:1", "c@a.c:8"), held(1, 24, "a@a.c:1", "d@a.c:12"), held(1, 8, "d@a.c:11")),
    snapshot(held(1, 24, "a@a.c:1", "c@a.c:9"), held(1, 24, "b@a.c:5", "d@a.c:13"), held(1, 8, "d@a.c:12")),
    ["unchanged 0 a:1, from 1", "unchanged 0 d:12, from 11", "unchanged 0 b:5, from 1"],
  ],
  [
    "functions of the same code in others, folded",
    snapshot(held(1, 24, "f@a.c:2", "a@a.c:1", "c@a.c:8"), held(1, 24, "f@b.c:3", "b@b.c:5", "c@a.c:9")),
    snapshot(held(1, 24, "f@a.c:2", "a@a.c:1", "c@a.c:8"), held(1, 24, "f@a.c:2", "a@a.c:1", "c@a.c:9")),
    ["unchanged 0 f:2", "unchanged 0 f:2, from 3"],
  ],
  [
    "with lines, a call from the same line as before may have become a jump",
    snapshot(held(1, 24, "make@a.c:1", "work@a.c:5", "main@a.c:9")),
    snapshot(held(1, 24, "work@a.c:5", "main@a.c:12")),
    ["unchanged 0 work:5, from 1"],
  ],
  [
    "a leak above one as large has its line: which of them is new, nothing tells",
    snapshot(held(1, 24, "a@a.c:5", MAIN), held(1, 8, "a@a.c:7", MAIN), held(1, 24, "b@a.c:1", MAIN)),
    snapshot(
      held(1, 24, "a@a.c:5", MAIN),
      held(1, 24, "a@a.c:6", MAIN),
      held(1, 8, "a@a.c:8", MAIN),
      held(1, 24, "b@a.c:1", MAIN),
    ),
    ["new 24 a:6 or 5<9", "unchanged 0 a:5", "unchanged 0 b:1", "unchanged 0 a:8, from 7"],
  ],
  [
    "and which of several has gone",
    snapshot(held(1, 24, "a@a.c:5", MAIN), held(1, 24, "a@a.c:6", MAIN), held(1, 24, "a@a.c:7", MAIN)),
    snapshot(held(1, 24, "a@a.c:5", MAIN), held(1, 24, "a@a.c:6", MAIN)),
    ["unchanged 0 a:5", "unchanged 0 a:6", "fixed -24 a:7 or 5<9 or 6<9"],
  ],
  [
    "functions of the same code, folded into one that both builds have",
    snapshot(held(1, 24, "a@a.c:1", "main@a.c:8"), held(1, 24, "hold@a.c:3", "b@a.c:5", "main@a.c:9")),
    snapshot(held(1, 24, "a@a.c:1", "main@a.c:8"), held(1, 24, "hold@a.c:3", "a@a.c:1", "main@a.c:9")),
    ["unchanged 0 a:1", "unchanged 0 hold:3, from 3"],
  ],
  [
    "and their caller's last call a jump",
    snapshot(held(1, 24, "a@a.c:1", "c@a.c:8", MAIN), held(1, 24, "b@a.c:5", "c@a.c:9", "d@a.c:20", MAIN)),
    snapshot(held(1, 24, "a@a.c:1", "c@a.c:8", MAIN), held(1, 24, "a@a.c:1", "c@a.c:9", MAIN)),
    ["unchanged 0 a:1", "unchanged 0 a:1, from 5"],
  ],
  [
    "another function called in the same place, as large, is new when nobody called it before",
    snapshot(held(1, 24, "a@a.c:1", MAIN)),
    snapshot(held(1, 24, "b@a.c:5", MAIN)),
    ["new 24 b:5", "fixed -24 a:1"],
  ],
  [
    "callers are no longer known: what is left of their stacks is one",
    snapshot(held(1, 24, "alloc", "take", "a@a.rs:1", MAIN), held(2, 24, "alloc", "take", "b@a.rs:5", MAIN)),
    snapshot({ ...held(3, 48, "alloc", "take"), ...LOST }),
    ["unchanged 0 alloc:null, from null"],
  ],
  [
    "all initializers are one function without lines",
    snapshot(
      held(1, 24, "make@a.cc:1", "_GLOBAL__sub_I_a.cc@a.cc:9"),
      held(1, 8, "begin@a.c:3"),
      held(1, 8, "a@a.c:1", MAIN),
    ),
    snapshot(held(2, 32, "_sub_I_65535_0.0"), held(1, 8, "a@a.c:1", MAIN)),
    ["unchanged 0 a:1", "unchanged 0 _sub_I_65535_0.0:null, from 3"],
  ],
  [
    "another program is another stack",
    snapshot(held(1, 8, "a@a.c:1")),
    snapshot({ ...held(1, 8, "a@a.c:1"), program: "tool" }),
    ["new 8 a:1", "fixed -8 a:1"],
  ],
  [
    "a cut stack is not one that is whole",
    snapshot(held(1, 8, "a@a.c:1")),
    snapshot({ ...held(1, 8, "a@a.c:1"), cut: true }),
    ["new 8 a:1", "fixed -8 a:1"],
  ],
  [
    "a stack whose callers are lost is the one of a snapshot from before that was told",
    snapshot(held(1, 8, "a@a.c:1"), held(2, 16, "b@a.c:2")),
    snapshot({ ...held(1, 8, "a@a.c:1"), ...LOST }, held(1, 8, "b@a.c:2"), { ...held(1, 8, "b@a.c:2"), ...LOST }),
    ["unchanged 0 a:1", "unchanged 0 b:2"],
  ],
];

for (const [name, base, head, expected] of cases) {
  test(`diff: ${name}`, () => assert.deepEqual(told(base, head), expected));
}
