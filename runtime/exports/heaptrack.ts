// heaptrack's format, version 3, as its interpreter writes it: text for heaptrack_print and heaptrack_gui.
//
//   s LENGTH TEXT          a string; they are numbered from 1 on, and so is all that follows
//   i ADDRESS MODULE [FUNCTION FILE LINE]…    a place in the code, with the calls inlined there, which follow
//   t PLACE PARENT         a call stack: its innermost frame, and the stack of its caller
//   a SIZE STACK           a kind of block; these are numbered from 0 on
//   c MILLISECONDS · + KIND · - KIND          time, and a block that is allocated and freed
//
// heaptrack replays every allocation, but memhook has sums. So the file has the blocks that were live at the peak, and
// then what became of them. heaptrack's totals at the peak and at the end are memhook's; its number of calls is not.
// The blocks of one stack have its mean size, rounded so that the sum is exact.

import { blocksAtPeak } from "./cost.js";
import { Known } from "./known.js";
import {
  CALLERS_MISSING,
  commandOf,
  oneLine,
  type Profile,
  type ProfileFrame,
  type ProfileStack,
  STACK_UNKNOWN,
} from "./profile.js";

/** Some blocks of one kind. */
interface Blocks {
  kind: number;
  count: number;
}

export function* heaptrack(profile: Profile, title: string): Generator<string> {
  const { process } = profile;
  const writer = new Writer();
  yield `v 10500 3\nX ${commandOf(profile, title)}\n`;
  const atPeak: Blocks[] = [];
  const freed: Blocks[] = [];
  const later: Blocks[] = [];
  // Number 0 is for no block: to heaptrack, a free of it is always one of a temporary allocation.
  writer.kind(0, 0);
  for (const stack of profile.stacks) {
    const { live, totals } = stack;
    const count = blocksAtPeak(stack);
    const peak = { count, bytes: count > 0 ? (totals?.peakBytes ?? live.bytes) : 0 };
    if (peak.count === 0 && live.count === 0) continue;
    const trace = writer.trace(profile, stack);
    const same = peak.bytes === live.bytes && peak.count === live.count;
    for (const blocks of writer.blocks(peak, trace)) {
      atPeak.push(blocks);
      if (!same) freed.push(blocks);
    }
    if (!same) later.push(...writer.blocks(live, trace));
  }
  yield* writer.text();
  yield `c ${hex(process?.peakTime ?? 0)}\n`;
  yield* events("+", atPeak);
  yield `c ${hex(process?.endTime ?? 0)}\n`;
  yield* events("-", freed);
  yield* events("+", later);
}

function* events(sign: string, all: readonly Blocks[]): Generator<string> {
  const PIECE = 4096;
  for (const { kind, count } of all) {
    const line = `${sign} ${hex(kind)}\n`;
    for (let left = count; left > 0; left -= PIECE) yield line.repeat(Math.min(left, PIECE));
  }
}

class Writer {
  readonly #lines: string[] = [];
  readonly #strings = new Known<string, number>();
  readonly #places = new Known<string, number>();
  readonly #traces = new Known<string, number>();
  #kinds = 0;

  text(): readonly string[] {
    return this.#lines;
  }

  /** A kind of block; its number. */
  kind(size: number, trace: number): number {
    this.#lines.push(`a ${hex(size)} ${hex(trace)}\n`);
    return this.#kinds++;
  }

  /** `count` blocks that are `bytes` together, in two kinds at most. */
  *blocks({ count, bytes }: { count: number; bytes: number }, trace: number): Generator<Blocks> {
    if (count === 0) return;
    const size = Math.floor(bytes / count);
    const larger = bytes - size * count;
    if (larger < count) yield { kind: this.kind(size, trace), count: count - larger };
    if (larger > 0) yield { kind: this.kind(size + 1, trace), count: larger };
  }

  /** The number of a stack. */
  trace(profile: Profile, stack: ProfileStack): number {
    let parent = 0;
    if (profile.programs.length > 1) parent = this.#call(this.#named(stack.program), parent);
    if (stack.cut) parent = this.#call(this.#named(CALLERS_MISSING), parent);
    if (stack.frames.length === 0) return this.#call(this.#named(STACK_UNKNOWN), parent);
    for (let end = stack.frames.length; end > 0; ) {
      // The calls that were inlined into a frame stand before it.
      let first = end - 1;
      while (first > 0 && stack.frames[first - 1]!.inlined) first--;
      parent = this.#call(this.#place(stack.frames.slice(first, end)), parent);
      end = first;
    }
    return parent;
  }

  #call(place: number, parent: number): number {
    const text = `t ${hex(place)} ${hex(parent)}\n`;
    return this.#numbered(this.#traces, text);
  }

  #string(text: string): number {
    if (text === "") return 0;
    const line = oneLine(text);
    return this.#numbered(this.#strings, `s ${hex(Buffer.byteLength(line))} ${line}\n`);
  }

  #named(name: string): number {
    return this.#numbered(this.#places, `i 0 0 ${hex(this.#string(name))} 0 0\n`);
  }

  #place(frames: readonly ProfileFrame[]): number {
    const { module, address } = frames.at(-1)!;
    const calls = frames.map(
      ({ name, file, line }) => `${hex(this.#string(name))} ${hex(this.#string(file))} ${hex(line)}`,
    );
    return this.#numbered(
      this.#places,
      `i ${address.toString(16)} ${hex(this.#string(module?.path ?? ""))} ${calls.join(" ")}\n`,
    );
  }

  /** The number of a line among those of its sort, from 1 on; it is written the first time. */
  #numbered(sort: Known<string, number>, line: string): number {
    return sort.of(line, () => {
      this.#lines.push(line);
      return sort.size + 1;
    });
  }
}

function hex(value: number): string {
  return value.toString(16);
}
