// The stacks of an answer, followed outwards from their innermost frames until one that somebody has been looking for,
// and then summed by what was found. Stacks are told by their place in the lists here, which all are equally long.
//
//   walks.search(passes, stops) ──▶ walks.spots() ──▶ a number for each stack ──▶ walks.gather(numbers, count)
//
// The core does the walking and the sums (asm/core/spots.ts, places.ts); each distinct frame is judged once.

import * as L from "../../asm/layout.js";
import type { Births, ModuleInfo, RawFrame } from "../host/types.js";
import type { StoreImage } from "./image.js";
import { birthsAt } from "./queryrows.js";
import { margin } from "./sample.js";
import type { StoreFrames } from "./storeframes.js";

/** The sums of the stacks with one number. */
export interface PlaceRow {
  /** Which number. */
  place: number;
  /** How many stacks, and the one of them that holds most. */
  stacks: number;
  stackId: number;
  count: number;
  bytes: number;
  /** ± of `bytes`, only when it is an estimate. */
  margin?: number;
  oldest: bigint;
  newest: bigint;
  births: Births;
}

/** Groups stacks, and returns their sums. */
export type Gather = (walks: StackWalks) => Promise<PlaceRow[]>;

/** Where the stacks stopped. */
export interface Spots {
  /** Whether the stack has stopped; without, the rest says nothing. */
  found: Uint8Array;
  /** Ids of the frames where, and of those that called them: 0 if there is none. */
  frames: Uint32Array;
  outers: Uint32Array;
}

/** The live blocks of stacks: sizes, and how many. */
export interface Sizes {
  smallest(stack: number): number;
  largest(stack: number): number;
  count(stack: number): number;
}

export class StackWalks {
  readonly #image: StoreImage;
  readonly #frames: StoreFrames;
  readonly #sampled: boolean;
  readonly #atPeak: boolean;
  readonly count: number;

  /**
   * Of an image with sums and births, to be used until the next query begins. `atPeak`: the bytes of the rows are what
   * the stacks held when the process held most.
   */
  constructor(
    image: StoreImage,
    frames: StoreFrames,
    { selected, sampled, atPeak }: { selected: boolean; sampled: boolean; atPeak: boolean },
  ) {
    const { core } = image;
    core.checked(core.call.beginSpots(Number(selected)));
    this.#image = image;
    this.#frames = frames;
    this.#sampled = sampled;
    this.#atPeak = atPeak;
    this.count = core.call.spotCount() >>> 0;
  }

  frame(id: number): RawFrame {
    return this.#frames.frame(id);
  }

  /**
   * Follows all stacks that have not stopped. `passes`: modules whose frames are all passed over; null is what lies in
   * none. `stops` judges other frames, many at a time.
   */
  async search(
    passes: (module: ModuleInfo | null) => boolean,
    stops: (frames: RawFrame[]) => Promise<boolean[]>,
  ): Promise<void> {
    const { core, count } = { core: this.#image.core, count: this.#image.count(L.KIND_MODULES) };
    const { call, constant } = core;
    const modules = [null, ...this.#frames.modules()].slice(0, count);
    const marks = core.bytes(call.spotModuleMarks(), count);
    modules.forEach((module, id) => {
      marks[id] = passes(module) ? constant.MARK_PASS : 0;
    });
    core.bytes(call.spotFrameMarks(), this.#image.count(L.KIND_FRAMES)).fill(0);
    for (;;) {
      call.beginSearch();
      const asked = this.#image.fetch(() => call.search());
      if (asked === 0) return;
      const ids = this.#list(call.spotAsked(), asked).slice();
      const answers = await stops(Array.from(ids, (id) => this.#frames.frame(id)));
      const frames = core.bytes(call.spotFrameMarks(), this.#image.count(L.KIND_FRAMES));
      ids.forEach((id, i) => {
        frames[id] = answers[i] ? constant.MARK_STOP : constant.MARK_PASS;
      });
    }
  }

  /** A copy: later results do not change it. */
  spots(): Spots {
    const { call, constant } = this.#image.core;
    const found = this.#states().map((state) => Number(state === constant.SEARCH_FOUND));
    const frames = this.#list(call.spotFrames(), this.count).slice();
    return { found, frames, outers: this.#list(call.spotOuters(), this.count).slice() };
  }

  /** Has some stacks searched again: on from where they stopped, or from their innermost frames. */
  again(stacks: Iterable<number>, from: "spot" | "start"): void {
    const { SEARCH_OPEN, SEARCH_NEW } = this.#image.core.constant;
    const states = this.#states();
    for (const stack of stacks) states[stack] = from === "spot" ? SEARCH_OPEN : SEARCH_NEW;
  }

  sizes(): Sizes {
    const { core } = this.#image;
    const bytes = core.bytes(core.call.spotSizes(), this.count * 24).slice();
    const sizes = new Float64Array(bytes.buffer);
    return {
      smallest: (stack) => sizes[3 * stack]!,
      largest: (stack) => sizes[3 * stack + 1]!,
      count: (stack) => sizes[3 * stack + 2]!,
    };
  }

  /** What the stacks with each of the numbers below `places` hold. A stack with a larger number is left out. */
  gather(numbers: Uint32Array, places: number): PlaceRow[] {
    if (this.#atPeak) return this.#gatherPeak(numbers);
    const { core } = this.#image;
    const { call, constant } = core;
    this.#list(core.address(call.claimPlaces()), this.count).set(numbers);
    const start = core.address(call.gather(places));
    const { view } = core;
    const rows: PlaceRow[] = [];
    for (let place = 0; place < places; place++) {
      const at = start + place * constant.PLACE_ENTRY;
      const double = (field: number) => view.getFloat64(at + field, true);
      const stacks = view.getUint32(at + constant.PLACE_STACKS, true);
      if (stacks === 0) continue;
      const row: PlaceRow = {
        place,
        stacks,
        stackId: view.getUint32(at + constant.PLACE_LARGEST, true),
        count: Math.round(double(constant.PLACE_COUNT)),
        bytes: Math.round(double(constant.PLACE_BYTES)),
        oldest: view.getBigUint64(at + constant.PLACE_OLDEST, true),
        newest: view.getBigUint64(at + constant.PLACE_NEWEST, true),
        births: birthsAt(this.#image, at + constant.PLACE_BIRTHS),
      };
      if (this.#sampled) row.margin = margin(double(constant.PLACE_VARIANCE), double(constant.PLACE_SPREAD));
      rows.push(row);
    }
    return rows;
  }

  /** Of the peak only bytes are known. */
  #gatherPeak(numbers: Uint32Array): PlaceRow[] {
    const ids = [...this.#list(this.#image.core.call.spotStacks(), this.count)];
    const largest = new Map<number, number>();
    const rows = new Map<number, PlaceRow>();
    for (const [i, { peakBytes }] of this.#image.stackTotals(ids).entries()) {
      if (peakBytes === 0) continue;
      const place = numbers[i]!;
      const row = rows.get(place) ?? { ...NOTHING, place };
      rows.set(place, row);
      row.stacks++;
      row.bytes += peakBytes;
      if (peakBytes <= (largest.get(place) ?? 0)) continue;
      largest.set(place, peakBytes);
      row.stackId = ids[i]!;
    }
    return [...rows.values()];
  }

  #states(): Uint8Array {
    const { core } = this.#image;
    return core.bytes(core.call.spotStates(), this.count);
  }

  #list(address: number, length: number): Uint32Array {
    const bytes = this.#image.core.bytes(address, length * 4);
    return new Uint32Array(bytes.buffer, bytes.byteOffset, length);
  }
}

const NO_BIRTHS: Births = {
  ...{ counts: [], bytes: [], smallest: 0, largest: 0 },
  ...{ allocations: 0, allocatedBytes: 0, frees: 0, freedBytes: 0 },
};
const NOTHING = { stacks: 0, stackId: 0, count: 0, bytes: 0, oldest: 0n, newest: 0n, births: NO_BIRTHS };
