// Where lines moved between two snapshots, by the stacks that are in both: whether a line may be another one now since
// somebody edited the file above it.
//
//   base 10 → head 12   known
//   base 20 → head 23   in question: lines around it moved, so it may have
//   base 30 → head 32   known

import type { SnapshotFrame } from "../host/types.js";

type Frames = readonly SnapshotFrame[];

export class MovedLines {
  readonly #fromBase = new Map<string, Lines>();
  readonly #fromHead = new Map<string, Lines>();

  /** Frames of stacks in both, of the same functions each. */
  constructor(pairs: Iterable<readonly [was: Frames, is: Frames]>) {
    for (const [was, is] of pairs) {
      if (was.length !== is.length) continue;
      for (const [i, from] of was.entries()) {
        add(this.#fromBase, from, is[i]!);
        add(this.#fromHead, is[i]!, from);
      }
    }
  }

  /** Whether the line of a frame may have become the one of another. The same for both directions. */
  may(was: SnapshotFrame, is: SnapshotFrame): boolean {
    return mayMove(this.#fromBase, was, is) || mayMove(this.#fromHead, is, was);
  }
}

/** Of a file, the lines that each line is on the other side. */
class Lines {
  readonly to = new Map<number, Set<number>>();
  #sorted: number[] | undefined;

  add(line: number, other: number): void {
    const known = this.to.get(line);
    if (known) known.add(other);
    else this.to.set(line, new Set([other]));
    this.#sorted = undefined;
  }

  /** Whether the nearest known line above, or below, is on another line. */
  moveNear(line: number): boolean {
    this.#sorted ??= [...this.to.keys()].sort((a, b) => a - b);
    const below = this.#sorted.findIndex((known) => known > line);
    const around = below < 0 ? [this.#sorted.at(-1)!] : this.#sorted.slice(Math.max(0, below - 1), below + 1);
    return around.some((known) => !this.to.get(known)!.has(known));
  }
}

/** A folder makes no difference. */
const nameOf = (file: string) => file.slice(file.lastIndexOf("/") + 1);

function add(lines: Map<string, Lines>, from: SnapshotFrame, to: SnapshotFrame): void {
  if (from.file === null || from.line === null || to.line === null) return;
  const name = nameOf(from.file);
  const known = lines.get(name) ?? new Lines();
  lines.set(name, known);
  known.add(from.line, to.line);
}

function mayMove(lines: Map<string, Lines>, from: SnapshotFrame, to: SnapshotFrame): boolean {
  const known = from.file === null ? undefined : lines.get(nameOf(from.file));
  if (known === undefined || from.line === null || to.line === null) return false;
  return known.to.get(from.line)?.has(to.line) ?? known.moveNear(from.line);
}
