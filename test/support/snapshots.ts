// Short ways to make snapshots for tests.

import { type Snapshot, type SnapshotFrame, snapshotOf, type UntoldStack } from "../../runtime/snapshots/snapshot.js";

/** "leak@src/a.c:12" in the module "app"; "+0x10" and "f" have no file; "f!libx.so" is in that module. */
export function frame(text: string): SnapshotFrame {
  const [, name, file, line, module] = /^([^@!]+)(?:@([^:!]+):(\d+))?(?:!(.+))?$/.exec(text)!;
  return { module: module ?? "app", function: name!, file: file ?? null, line: line ? Number(line) : null };
}

/** A stack that holds `count` blocks of `bytes` in all; frames innermost first. */
export function held(count: number, bytes: number, ...frames: string[]): UntoldStack {
  return { program: "app", count, bytes, cut: false, stack: frames.map(frame) };
}

export function snapshot(...rows: UntoldStack[]): Snapshot {
  return snapshotOf(rows);
}

/** Numbers below an end, the same for a seed (mulberry32). */
export function randomNumbers(seed: number): (end: number) => number {
  let state = seed;
  return (end) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % end;
  };
}

/** Any snapshot at all: few functions, files, lines and programs, so that much is alike. */
export function anySnapshot(random: (end: number) => number): Snapshot {
  const rows = Array.from({ length: random(40) }, (): UntoldStack => {
    const stack = Array.from({ length: random(4) }, (): SnapshotFrame => {
      const file = random(3) === 0 ? null : `${["src", "other/src"][random(2)]}/f${random(2)}.c`;
      return {
        module: ["app", "libx.so.1", ""][random(3)]!,
        function: ["f", "g", `+0x${random(4)}`, null][random(4)]!,
        file,
        line: file === null ? null : random(4),
      };
    });
    const count = random(5) + 1;
    return { program: ["app", "tool"][random(2)]!, count, bytes: count * random(64), cut: random(8) === 0, stack };
  });
  return snapshotOf(rows);
}
