// Stacks followed to a frame, and summed by what was found: what core.wasm does for places.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ModuleInfo } from "../../../runtime/host/types.js";
import type { StackWalks } from "../../../runtime/stores/stackwalks.js";
import { openSource } from "../../../runtime/stores/store.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { coreBuilds, memorySource } from "../../support/stores.js";

const ASKED = { aggregate: true, sort: "size", births: 1000n } as const;

/** Stacks of frames that their letters name; capitals are in a library, "-" is in no module. */
function sample(stacks: readonly string[]) {
  const builder = new StoreBuilder();
  const modules = { app: builder.module("/srv/app"), lib: builder.module("/usr/lib/lib.so") };
  const frames = new Map<string, number>([["-", 0]]);
  const frame = (letter: string) => {
    const known = frames.get(letter);
    if (known !== undefined) return known;
    const id = builder.frame(/[A-Z]/.test(letter) ? modules.lib : modules.app, BigInt(letter.charCodeAt(0)));
    frames.set(letter, id);
    return id;
  };
  stacks.forEach((letters, i) => {
    const stack = letters === "" ? 0 : builder.stack([...letters].map(frame));
    builder.record({ address: BigInt(16 + 16 * i), size: 2 ** i, time: BigInt(100 * i), stack });
  });
  return { builder, letterOf: (id: number) => [...frames].find(([, each]) => each === id)![0] };
}

const isLibrary = (module: ModuleInfo | null) => module === null || module.path.startsWith("/usr/");

for (const [build, module] of Object.entries(coreBuilds)) {
  const ask = (builder: StoreBuilder, gather: (walks: StackWalks) => Promise<void>) => {
    const store = openSource(memorySource(builder.image()), "a.store", module);
    return store.query(ASKED, async (walks) => {
      await gather(walks);
      return [];
    });
  };

  test(`a stack stops at the first frame that is wanted, and each frame is judged once (${build})`, async () => {
    const { builder, letterOf } = sample(["", "XYab", "ab", "Xcb", "XY", "-cX", "bXa", "-"]);
    const asked: string[] = [];
    const spots: string[] = [];
    await ask(builder, async (walks) => {
      const look = () => {
        const { found, frames, outers } = walks.spots();
        return [...found].map((is, i) =>
          is === 1 ? letterOf(frames[i]!) + (outers[i] === 0 ? "" : letterOf(outers[i]!)) : "",
        );
      };
      await walks.search(isLibrary, async (frames) => {
        asked.push(frames.map(({ id }) => letterOf(id)).join(""));
        return frames.map(({ id }) => letterOf(id) !== "a");
      });
      spots.push(look().join(" "));
      walks.again([1, 3], "spot");
      await walks.search(isLibrary, async (frames) => frames.map(({ id }) => letterOf(id) === "b"));
      spots.push(look().join(" "));
      walks.again([4, 5, 7], "start");
      await walks.search(
        () => false,
        async (frames) => frames.map(() => true),
      );
      spots.push(look().join(" "));
    });
    assert.deepEqual(asked, ["acb"]);
    assert.deepEqual(spots, [" b b cb  cX bX ", " b b b  cX bX ", " b b b XY -c bX -"]);
  });

  test(`what stacks with one number hold is summed (${build})`, async () => {
    const { builder } = sample(["a", "ab", "b", "c"]);
    const store = openSource(memorySource(builder.image()), "a.store", module);
    const { places, matched } = await store.query(ASKED, async (walks) => walks.gather(Uint32Array.of(2, 2, 0, 7), 3));
    assert.deepEqual(matched, { count: 4, bytes: 15 });
    const births = { allocations: 0, allocatedBytes: 0, frees: 0, freedBytes: 0 };
    const zeros = new Array<number>(16).fill(0);
    assert.deepEqual(places, [
      {
        ...{ place: 0, stacks: 1, stackId: 3, count: 1, bytes: 4, oldest: 200n, newest: 200n },
        births: { ...births, counts: zeros.with(3, 1), bytes: zeros.with(3, 4), smallest: 4, largest: 4 },
      },
      {
        ...{ place: 2, stacks: 2, stackId: 2, count: 2, bytes: 3, oldest: 0n, newest: 100n },
        births: {
          ...{ ...births, counts: zeros.with(0, 1).with(1, 1), bytes: zeros.with(0, 1).with(1, 2) },
          ...{ smallest: 1, largest: 2 },
        },
      },
    ]);
  });
}
