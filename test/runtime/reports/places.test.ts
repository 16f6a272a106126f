// Places: past libraries and wrappers, also those that nobody knew before, to the user's own code.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Places } from "../../../runtime/reports/places.js";
import { StackResolver } from "../../../runtime/reports/report.js";
import { openSource } from "../../../runtime/stores/store.js";
import type { Names } from "../../../runtime/symbols/symbolize.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { coreBuilds, memorySource } from "../../support/stores.js";

/**
 * A stack, innermost first, and the sizes of its blocks. "lib:f" is in a library; "a+b" is a, inlined into b. A line is
 * behind "@", and "·" is a blank.
 */
type Case = readonly [stack: string, sizes: readonly number[], place: string];

const SMALL = [16, 16, 16];
const cases: Record<string, Case[]> = {
  "libraries and known wrappers": [
    ["lib:operator·new(unsigned·long) std::vector<int>::push_back fill main", SMALL, "fill"],
    ["xmalloc xstrdup on_event main", SMALL, "on_event"],
    ["lib:xmlNewNode lib:xmlAdd parse lib:callback main", SMALL, "parse"],
    ["std::string::string+std::move+serve lib:start_thread", SMALL, "serve"],
    ["main", SMALL, "main"],
  ],
  "no own code at all": [
    ["lib:zmalloc lib:sdsnewlen lib:createObject", SMALL, "sdsnewlen"],
    ["lib:operator·new(unsigned·long) lib:std::vector<int>::push_back lib:Widget::show", SMALL, "Widget::show"],
    ["lib:strdup", SMALL, "strdup"],
  ],
  "a wrapper that only the callers' sizes tell": [
    ["grab@5 a main", [16, 16], "a"],
    ["grab@5 b main", [24, 24, 24], "b"],
    ["grab@5 c b main", [4096, 4096], "c"],
    ["grab@5 d main", [1], "d"],
  ],
  "a wrapper around it, too": [
    ["grab@5 a main", [16, 16], "a"],
    ["grab@5 b main", [24, 24, 24], "b"],
    ["grab@5 c main", [32, 32, 32], "c"],
    ["grab@5 keep_dup@7 a main", [3, 9, 4], "a"],
    ["grab@5 keep_dup@7 b main", [5, 90], "b"],
    ["grab@5 keep_dup@7 c main", [2, 4], "c"],
  ],
  "inlined into its callers": [
    ["grab@5+a@1 main", [16, 16], "a"],
    ["grab@5+b@1 main", [24, 24, 24], "b"],
    ["grab@5+c@1 main", [4096, 4096], "c"],
  ],
  "it makes things of one kind": [
    ["new_node@5 a main", [40, 40], "new_node"],
    ["new_node@5 b main", [40, 40], "new_node"],
    ["new_node@5 c main", [40, 40], "new_node"],
  ],
  "its sizes are its own business": [
    ["read_file@5 a main", [400, 4000], "read_file"],
    ["read_file@5 b main", [40, 50], "read_file"],
    ["read_file@5 c main", [70, 90], "read_file"],
  ],
  "it has too few callers": [
    ["grab@5 a main", [16, 16], "grab"],
    ["grab@5 b main", [24, 24], "grab"],
  ],
  "it allocates in too many places": [
    ["setup@5 a main", [16, 16], "setup"],
    ["setup@6 b main", [24, 24], "setup"],
    ["setup@7 c main", [32, 32], "setup"],
  ],
  "it calls itself": [
    ["visit@5 visit@6 main", [16, 16], "visit"],
    ["visit@5 visit@6 visit@6 main", [24, 24], "visit"],
    ["visit@5 visit@6 visit@6 visit@6 main", [32, 32], "visit"],
  ],
};

function placesOf(stacks: readonly Case[]) {
  const builder = new StoreBuilder();
  const app = builder.module("/srv/app");
  const lib = builder.module("/usr/lib/libx.so");
  const names = new Map<bigint, string[]>();
  const frames = new Map<string, number>();
  const frameOf = (text: string) => {
    let frame = frames.get(text);
    if (frame === undefined) {
      const offset = BigInt(0x100 + names.size);
      const inLibrary = text.startsWith("lib:");
      names.set(offset, text.replace("lib:", "").replaceAll("·", " ").split("+"));
      frame = builder.frame(inLibrary ? lib : app, offset, true);
      frames.set(text, frame);
    }
    return frame;
  };
  const ids = stacks.map(([stack]) => builder.stack(stack.split(" ").map(frameOf)));
  const symbolizer: Names = {
    notes: [],
    buildFolder: () => undefined,
    symbolize: async (requests) =>
      requests.map(({ offset }) => {
        const calls = names.get(offset)!;
        return calls.map((text, i) => {
          const [name, line] = text.split("@") as [string, string | undefined];
          const place = line === undefined ? { file: null, line: null } : { file: "/srv/app.c", line: Number(line) };
          return { function: name, ...place, inlined: i + 1 < calls.length };
        });
      }),
  };
  let address = 16n;
  stacks.forEach(([, sizes], i) => {
    for (const size of sizes) {
      builder.record({ address, size, stack: ids[i]! });
      address += 16n;
    }
  });
  return placesIn(builder, symbolizer);
}

/** What each function holds that is a place: stacks, blocks and bytes. */
async function placesIn(builder: StoreBuilder, symbolizer: Names): Promise<Map<string | null, Sum>> {
  const store = openSource(memorySource(builder.image()), "a.store", coreBuilds.debug);
  const places = new Places(new StackResolver(store, symbolizer));
  const asked = { aggregate: true, sort: "size", births: 1n } as const;
  const { places: rows } = await store.query(asked, (walks) => places.gather(walks));
  const sums = new Map<string | null, Sum>();
  for (const { place, stacks, count, bytes } of rows)
    add(sums, places.all[place]!.frame?.function ?? null, { stacks, count, bytes });
  return sums;
}

interface Sum {
  stacks: number;
  count: number;
  bytes: number;
}

function add<Key>(sums: Map<Key, Sum>, key: Key, more: Sum): void {
  const { stacks, count, bytes } = sums.get(key) ?? { stacks: 0, count: 0, bytes: 0 };
  sums.set(key, { stacks: stacks + more.stacks, count: count + more.count, bytes: bytes + more.bytes });
}

for (const [name, stacks] of Object.entries(cases)) {
  test(name, async () => {
    const expected = new Map<string, Sum>();
    for (const [, sizes, place] of stacks)
      add(expected, place, { stacks: 1, count: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) });
    const found = await placesOf(stacks);
    assert.deepEqual(new Map([...found].sort()), new Map([...expected].sort()));
  });
}

test("a stack that nobody knows", async () => {
  const names: Names = { notes: [], buildFolder: () => undefined, symbolize: async () => [] };
  const builder = new StoreBuilder();
  builder.record({ address: 16n, size: 1, stack: 0 });
  const found = await placesIn(builder, names);
  assert.deepEqual(found, new Map([[null, { stacks: 1, count: 1, bytes: 1 }]]));
});
