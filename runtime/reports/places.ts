// A call stack's place: where in the user's own code its memory was requested.
//
//   xmalloc at util.c:6        wrapper          malloc in std::…   library
//   xstrdup at util.c:7        wrapper          append at log.cc:9  own    ◀── the place
//   on_event at events.c:9     own ◀── the place
//
// Frames get names from the inside out, and only as far as needed. Each step is a round that looks up every distinct
// frame once. A stack without any own code has its place in the innermost library that is not a runtime.
//
// An unknown wrapper is recognised by what it does: it has many callers, each of which always requests one size, and
// the sizes are not all the same.

import { basename } from "node:path";
import type { Frame, ModuleInfo, RawFrame } from "../host/types.js";
import type { PlaceRow, Sizes, StackWalks } from "../stores/stackwalks.js";
import { belowMain, isLibraryModule, plainName, whose } from "./own.js";
import { isRuntimeModule, isRuntimeName } from "./suppressions.js";

export interface Place {
  /** Two places with the same key are one. */
  key: string;
  /** null: the stack is unknown. */
  frame: Frame | null;
  own: boolean;
}

/** What gives frames their names: the report's StackResolver. */
export interface FrameNames {
  loadFrames(raws: Iterable<RawFrame>, names: boolean): Promise<void>;
  /** The locations of a loaded frame: calls that were inlined there come first. */
  locations(raw: Pick<RawFrame, "id">): readonly Frame[];
}

/** Of each stack where its place is: the frame, which of the calls inlined there, and who called that; 0 is none. */
interface Spots {
  found: Uint8Array;
  frames: Uint32Array;
  outers: Uint32Array;
  calls: Uint16Array;
}

/** Call sites that a function must have to be seen as a wrapper. */
const MANY = 3;
/** A wrapper around a wrapper around … */
const ROUNDS = 4;
/** Inlined calls in one frame that are told apart. */
const CALLS = 0xffff;

const UNKNOWN: Place = { key: "", frame: null, own: false };

export class Places {
  readonly #resolver: FrameNames;
  readonly #skip: RegExp | undefined;
  /** Functions that were found to be wrappers. */
  readonly #found = new Set<string>();
  /** The places of the last answer; its rows name them by where they stand here. */
  all: Place[] = [];

  constructor(resolver: FrameNames, skip?: RegExp) {
    this.#resolver = resolver;
    this.#skip = skip;
  }

  /** The sums of the stacks of an answer by place; for Store.query(). */
  async gather(walks: StackWalks): Promise<PlaceRow[]> {
    const spots: Spots = { ...walks.spots(), calls: new Uint16Array(walks.count) };
    const every = [...spots.found.keys()];
    await this.#findOwn(walks, spots, every);
    const sizes = walks.sizes();
    let fresh = every;
    for (let round = 0; round < ROUNDS; round++) {
      fresh = await this.#findWrappers(walks, sizes, spots, fresh);
      if (fresh.length === 0) break;
      walks.again(fresh, "spot");
      // A wrapper that nobody of the user's calls is better than nothing.
      await this.#findOwn(walks, spots, fresh);
    }
    await this.#findOthers(walks, spots);
    return walks.gather(this.#number(spots), this.all.length);
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

  /** Sets the spots of the stacks with own code. Code in a library is never own code, whatever its name is. */
  #findOwn(walks: StackWalks, spots: Spots, which: readonly number[]): Promise<void> {
    const library = (module: ModuleInfo | null) => isLibraryModule(module?.path ?? "");
    return this.#find(walks, spots, which, library, (frame) => this.isOwn(frame));
  }

  /** Of stacks without own code: the innermost frame in no runtime, of a function that does more than to allocate. */
  async #findOthers(walks: StackWalks, spots: Spots): Promise<void> {
    const left = () => [...spots.found.keys()].filter((stack) => spots.found[stack] === 0);
    const isRuntime = (module: ModuleInfo | null) =>
      module === null || isRuntimeModule(module.path) || isRuntimeName(basename(module.path));
    const rounds = [
      { passes: isRuntime, fits: (frame: Frame) => whose(frame) !== "wrapper" && !isStandard(frame) },
      { passes: () => false, fits: () => true },
    ];
    for (const { passes, fits } of rounds) {
      const which = left();
      if (which.length === 0) return;
      walks.again(which, "start");
      await this.#find(walks, spots, which, passes, fits);
    }
  }

  /** Sets the spots of those stacks that have a frame outside of the modules that are passed with a call that fits. */
  async #find(
    walks: StackWalks,
    spots: Spots,
    which: readonly number[],
    passes: (module: ModuleInfo | null) => boolean,
    fits: (frame: Frame) => boolean,
  ): Promise<void> {
    const calls = new Map<number, number>();
    await walks.search(passes, async (frames) => {
      await this.#resolver.loadFrames(frames, true);
      return frames.map((raw) => {
        const call = Math.min(this.#resolver.locations(raw).findIndex(fits), CALLS);
        if (call >= 0) calls.set(raw.id, call);
        return call >= 0;
      });
    });
    const { found, frames, outers } = walks.spots();
    for (const stack of which) {
      if (found[stack] === 0) continue;
      const frame = frames[stack]!;
      spots.found[stack] = 1;
      spots.frames[stack] = frame;
      spots.outers[stack] = outers[stack]!;
      spots.calls[stack] = calls.get(frame)!;
    }
  }

  #frameAt({ frames, calls }: Spots, stack: number): Frame {
    return this.#resolver.locations({ id: frames[stack]! })[calls[stack]!]!;
  }

  /** Numbers the places of the stacks. */
  #number(spots: Spots): Uint32Array {
    const numbers = new Uint32Array(spots.found.length);
    const byKey = new Map<string, number>();
    const bySpot = new Map<number, number>();
    this.all = [];
    for (let stack = 0; stack < numbers.length; stack++) {
      const spot = spotOf(spots, stack);
      let number = bySpot.get(spot);
      if (number === undefined) {
        const frame = spots.found[stack] === 0 ? null : this.#frameAt(spots, stack);
        const place = frame === null ? UNKNOWN : { key: placeKey(frame), frame, own: this.isOwn(frame) };
        number = byKey.get(place.key);
        if (number === undefined) {
          number = this.all.push(place) - 1;
          byKey.set(place.key, number);
        }
        bySpot.set(spot, number);
      }
      numbers[stack] = number;
    }
    return numbers;
  }

  /** Finds functions that only pass on a size, among those of the stacks; gives the stacks whose place was in one. */
  async #findWrappers(walks: StackWalks, sizes: Sizes, spots: Spots, which: readonly number[]): Promise<number[]> {
    const bySpot = new Map<number, Allocator | null>();
    const byName = new Map<string, Allocator>();
    for (const stack of which) {
      if (spots.found[stack] === 0) continue;
      const spot = spotOf(spots, stack);
      let it = bySpot.get(spot);
      if (it === undefined) {
        const frame = this.#frameAt(spots, stack);
        const key = functionKey(frame);
        const known = frame.function === null || this.#found.has(key);
        it = known ? null : (byName.get(key) ?? { key, sites: new Set(), stacks: [] });
        it?.sites.add(placeKey(frame));
        if (it !== null) byName.set(key, it);
        bySpot.set(spot, it);
      }
      it?.stacks.push(stack);
    }
    const likely = [...byName.values()].filter(
      ({ sites, stacks }) => sites.size <= SITES && stacks.length >= MANY && !sameSizes(sizes, stacks),
    );
    const outers = new Set(likely.flatMap(({ stacks }) => stacks.map((stack) => spots.outers[stack]!)));
    outers.delete(0);
    const frames = Array.from(outers, (id) => walks.frame(id));
    await this.#resolver.loadFrames(frames, true);
    const wrapped: number[] = [];
    for (const { key, stacks } of likely) {
      const uses = stacks.map((stack): Use => {
        const calls = this.#resolver.locations({ id: spots.frames[stack]! });
        const outer = spots.outers[stack]!;
        const caller =
          calls[spots.calls[stack]! + 1] ?? (outer === 0 ? undefined : this.#resolver.locations({ id: outer })[0]);
        return { caller, smallest: sizes.smallest(stack), largest: sizes.largest(stack), count: sizes.count(stack) };
      });
      if (!passesOn(this.#frameAt(spots, stacks[0]!), uses)) continue;
      this.#found.add(key);
      wrapped.push(...stacks);
    }
    return wrapped;
  }
}

/** A function in which there are places, and the stacks that have them. */
interface Allocator {
  key: string;
  sites: Set<string>;
  stacks: number[];
}

/** A number that two stacks share if their places do; −1 without one. */
function spotOf({ found, frames, calls }: Spots, stack: number): number {
  return found[stack] === 0 ? -1 : frames[stack]! * (CALLS + 1) + calls[stack]!;
}

/** Whether all blocks of these stacks have one size. */
function sameSizes(sizes: Sizes, stacks: readonly number[]): boolean {
  const first = sizes.smallest(stacks[0]!);
  return stacks.every((stack) => sizes.smallest(stack) === first && sizes.largest(stack) === first);
}

/** Places in a function from which it allocates, at most: one for malloc, one for realloc. */
const SITES = 2;
const ALLOCATES = /alloc|dup|getmem|get_mem|newmem|new_mem|reserve_mem/i;

/** A stack whose place is in a function: who calls that there, and the sizes of the blocks. */
interface Use {
  caller: Frame | undefined;
  smallest: number;
  largest: number;
  count: number;
}

/** Whether a function seems to allocate as much as its caller says. */
function passesOn(inner: Frame, uses: readonly Use[]): boolean {
  const callers = new Map<string, Use>();
  for (const use of uses) {
    const { caller } = use;
    if (caller === undefined || functionKey(caller) === functionKey(inner)) continue;
    const key = placeKey(caller);
    const known = callers.get(key);
    if (known === undefined) callers.set(key, { ...use });
    else {
      known.smallest = Math.min(known.smallest, use.smallest);
      known.largest = Math.max(known.largest, use.largest);
      known.count += use.count;
    }
  }
  if (callers.size < MANY) return false;
  const sizes = [...callers.values()];
  // All the same: it makes things of one kind.
  if (new Set(sizes.flatMap(({ smallest, largest }) => [smallest, largest])).size === 1) return false;
  if (ALLOCATES.test(plainName(inner.function!))) return true;
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
