// Where in the user's own code the memory of a call stack was asked for: its place.
//
//   xmalloc at util.c:6        wrapper          malloc in std::…   library
//   xstrdup at util.c:7        wrapper          append at log.cc:9  own    ◀── the place
//   on_event at events.c:9     own ◀── the place
//
// Frames get names from the inside out, and only as far as needed: a round for each step, in which every distinct
// frame is looked up once. A stack without any own code has its place in the innermost library that is not a runtime.
//
// A wrapper that nobody knows is found by what it does: many callers, a size from each that is always the same, and
// not the same for all.

import { basename } from "node:path";
import type { Frame, RawFrame } from "../host/types.js";
import type { Store } from "../stores/store.js";
import { belowMain, isLibraryModule, plainName, whose } from "./own.js";
import { isRuntimeModule, isRuntimeName } from "./suppressions.js";

export interface Place {
  /** Two places with the same key are one. */
  key: string;
  /** null: nothing is known of the stack. */
  frame: Frame | null;
  own: boolean;
}

/** What gives frames their names: the report's StackResolver. */
export interface FrameNames {
  loadFrames(raws: Iterable<RawFrame>, names: boolean): Promise<void>;
  /** What a frame that was loaded stands for: calls that were inlined there first. */
  locations(raw: RawFrame): readonly Frame[];
}

/** A stack, and what is known of the sizes of its live blocks. */
export interface Sized {
  stackId: number;
  count: number;
  /** Of its blocks; equal: all have the same size. */
  smallest: number;
  largest: number;
}

/** Where in a stack its place is: the frame, and which of the calls inlined there. */
interface Spot {
  frame: number;
  call: number;
}

/** Call sites that a function must have to be seen as a wrapper. */
const MANY = 3;
/** A wrapper around a wrapper around … */
const ROUNDS = 4;

const UNKNOWN: Place = { key: "", frame: null, own: false };

export class Places {
  readonly #resolver: FrameNames;
  readonly #skip: RegExp | undefined;
  /** Functions that were found to be wrappers. */
  readonly #found = new Set<string>();
  /** Of frames by id: the call of each frame's that is own, −1 if none is. */
  #ownCalls = new Map<number, number>();
  readonly #places = new Map<Frame, Place>();

  constructor(
    readonly store: Store,
    resolver: FrameNames,
    skip?: RegExp,
  ) {
    this.#resolver = resolver;
    this.#skip = skip;
  }

  /** The place of each of the stacks, in their order. */
  async of(stacks: readonly Sized[]): Promise<Place[]> {
    const frames = stacks.map(({ stackId }) => this.store.frames(stackId).frames);
    const spots = new Array<Spot | null>(stacks.length).fill(null);
    await this.#findOwn(frames, spots, stacks.keys());
    for (let round = 0; round < ROUNDS; round++) {
      const wrapped = await this.#findWrappers(stacks, frames, spots);
      if (wrapped.length === 0) break;
      const before = wrapped.map((i) => spots[i]!);
      this.#ownCalls = new Map();
      await this.#findOwn(frames, spots, wrapped);
      // A wrapper that nobody of the user's calls is better than nothing.
      wrapped.forEach((i, at) => {
        spots[i] ??= before[at]!;
      });
    }
    const others = [...stacks.keys()].filter((i) => spots[i] === null);
    await this.#findOthers(frames, spots, others);
    return spots.map((spot, i) => this.#placeAt(frames[i]!, spot));
  }

  /** The functions of the user's own that lead to a place, from the inside out, each once. */
  callers(stack: readonly Frame[], frame: Frame | null): Frame[] {
    const at = frame === null ? stack.length : stack.indexOf(frame);
    const names = new Set([frame?.function]);
    return stack.slice(at + 1, Math.max(at + 1, stack.length - belowMain(stack))).filter((caller) => {
      if (!this.isOwn(caller) || names.has(caller.function)) return false;
      names.add(caller.function);
      return true;
    });
  }

  isOwn(frame: Frame): boolean {
    return whose(frame, this.#skip) === "own" && !this.#found.has(functionKey(frame));
  }

  /** Sets the spots of those that have own code. */
  async #findOwn(frames: readonly RawFrame[][], spots: (Spot | null)[], which: Iterable<number>): Promise<void> {
    let open = Array.from(which, (stack) => ({ stack, at: 0 }));
    for (const { stack } of open) spots[stack] = null;
    while (open.length > 0) {
      // What is in a library has no own code, whatever its name is.
      open = open.flatMap(({ stack, at }) => {
        const its = frames[stack]!;
        while (at < its.length && isLibraryModule(its[at]!.module?.path ?? "")) at++;
        return at < its.length ? [{ stack, at }] : [];
      });
      await this.#resolver.loadFrames(new Set(open.map(({ stack, at }) => frames[stack]![at]!)), true);
      open = open.flatMap(({ stack, at }) => {
        const call = this.#ownCall(frames[stack]![at]!);
        if (call < 0) return [{ stack, at: at + 1 }];
        spots[stack] = { frame: at, call };
        return [];
      });
    }
  }

  #ownCall(raw: RawFrame): number {
    let call = this.#ownCalls.get(raw.id);
    if (call === undefined) {
      call = this.#resolver.locations(raw).findIndex((frame) => this.isOwn(frame));
      this.#ownCalls.set(raw.id, call);
    }
    return call;
  }

  /** Of stacks without own code: the innermost frame in no runtime, of a function that does more than to allocate. */
  async #findOthers(frames: readonly RawFrame[][], spots: (Spot | null)[], which: readonly number[]): Promise<void> {
    const isRuntime = ({ module }: RawFrame) =>
      module === null || isRuntimeModule(module.path) || isRuntimeName(basename(module.path));
    let open = which.map((stack) => ({ stack, at: 0 }));
    while (open.length > 0) {
      open = open.flatMap(({ stack, at }) => {
        const its = frames[stack]!;
        while (at < its.length && isRuntime(its[at]!)) at++;
        return at < its.length ? [{ stack, at }] : [];
      });
      await this.#resolver.loadFrames(new Set(open.map(({ stack, at }) => frames[stack]![at]!)), true);
      open = open.flatMap(({ stack, at }) => {
        const calls = this.#resolver.locations(frames[stack]![at]!);
        const call = calls.findIndex((frame) => whose(frame) !== "wrapper" && !isStandard(frame));
        if (call < 0) return [{ stack, at: at + 1 }];
        spots[stack] = { frame: at, call };
        return [];
      });
    }
    const left = which.filter((i) => spots[i] === null && frames[i]!.length > 0);
    await this.#resolver.loadFrames(new Set(left.map((i) => frames[i]![0]!)), true);
    for (const i of left) spots[i] = { frame: 0, call: 0 };
  }

  #placeAt(frames: readonly RawFrame[], spot: Spot | null): Place {
    if (spot === null) return UNKNOWN;
    const frame = this.#resolver.locations(frames[spot.frame]!)[spot.call]!;
    let place = this.#places.get(frame);
    if (place === undefined) {
      place = { key: placeKey(frame), frame, own: this.isOwn(frame) };
      this.#places.set(frame, place);
    }
    return place;
  }

  /** Finds functions that only pass on a size; gives the stacks whose place was in one of them. */
  async #findWrappers(
    stacks: readonly Sized[],
    frames: readonly RawFrame[][],
    spots: readonly (Spot | null)[],
  ): Promise<number[]> {
    const functions = new Map<string, number[]>();
    spots.forEach((spot, i) => {
      if (spot === null) return;
      const key = functionKey(this.#resolver.locations(frames[i]![spot.frame]!)[spot.call]!);
      const known = functions.get(key);
      if (known) known.push(i);
      else functions.set(key, [i]);
    });
    const wrapped: number[] = [];
    for (const [key, which] of functions) {
      const sizes = new Set(which.flatMap((i) => [stacks[i]!.smallest, stacks[i]!.largest]));
      if (which.length < MANY || sizes.size === 1) continue;
      const calls = which.map((i) => ({ frames: frames[i]!, spot: spots[i]! }));
      const outer = calls.flatMap(({ frames: its, spot }) => its[spot.frame + 1] ?? []);
      await this.#resolver.loadFrames(outer, true);
      const uses = calls.map(({ frames: its, spot }, at): Use => {
        const flat = its.slice(spot.frame, spot.frame + 2).flatMap((raw) => this.#resolver.locations(raw));
        return { inner: flat[spot.call]!, caller: flat[spot.call + 1], sized: stacks[which[at]!]! };
      });
      if (!passesOn(uses)) continue;
      this.#found.add(key);
      wrapped.push(...which);
    }
    return wrapped;
  }
}

/** A stack whose place is in a function, and who calls that there. */
interface Use {
  inner: Frame;
  caller: Frame | undefined;
  sized: Sized;
}

/** Places in a function from which it allocates, at most: one for malloc, one for realloc. */
const SITES = 2;
const ALLOCATES = /alloc|dup|getmem|get_mem|newmem|new_mem|reserve_mem/i;

/** Whether a function looks like one that allocates as much as its caller says. */
function passesOn(uses: readonly Use[]): boolean {
  const { inner } = uses[0]!;
  if (inner.function === null || new Set(uses.map(({ inner: frame }) => placeKey(frame))).size > SITES) return false;
  const callers = new Map<string, Sized[]>();
  for (const { caller, sized } of uses) {
    if (caller === undefined || functionKey(caller) === functionKey(inner)) continue;
    const key = placeKey(caller);
    const known = callers.get(key);
    if (known) known.push(sized);
    else callers.set(key, [sized]);
  }
  if (callers.size < MANY) return false;
  const sizes = [...callers.values()].map((all) => ({
    smallest: Math.min(...all.map(({ smallest }) => smallest)),
    largest: Math.max(...all.map(({ largest }) => largest)),
    count: all.reduce((sum, { count }) => sum + count, 0),
  }));
  // All the same: it makes things of one kind.
  if (new Set(sizes.flatMap(({ smallest, largest }) => [smallest, largest])).size === 1) return false;
  if (ALLOCATES.test(plainName(inner.function))) return true;
  const same = sizes.filter(({ smallest, largest, count }) => smallest === largest && count > 1);
  return 2 * same.length >= sizes.length && new Set(same.map(({ largest }) => largest)).size > 1;
}

const STANDARD = /^<?&?(mut )?(std|core|alloc|__gnu_cxx)::/;

function isStandard({ function: name }: Frame): boolean {
  return name !== null && STANDARD.test(plainName(name));
}

function functionKey({ module, function: name, offset }: Frame): string {
  return `${module}\0${name ?? offset}`;
}

/** What two frames have in common that are one place: function and line, or as much of that as is known. */
export function placeKey(frame: Frame): string {
  const { module, function: name, file, line, offset } = frame;
  if (file !== null && line !== null) return `${name}\0${file}:${line}`;
  return name === null ? `${module}+${offset}` : `${module}\0${name}`;
}
