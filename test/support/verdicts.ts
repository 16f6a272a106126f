// The verdict on a sample, in each of the looks that test/vectors/verdict/ has: a service with a session that leaks and
// what belongs to it, a cache, a working set, a library, and names of C++ that are longer than a terminal is wide.

import * as L from "../../asm/layout.js";
import { type Style, styleFor } from "../../cli/reports/style.js";
import { shownFindings, verdictText } from "../../cli/reports/verdict.js";
import { verdictOn } from "../../runtime/reports/verdict.js";
import { openSource } from "../../runtime/stores/store.js";
import type { Names } from "../../runtime/symbols/symbolize.js";
import { StoreBuilder } from "./store-builder.js";
import { coreBuilds, memorySource } from "./stores.js";

const FOLDER = "/srv/dev/svc";
const MINUTE = 60_000_000_000n;
const LONG =
  "std::map<std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >, net::Session>::insert(" +
  "net::Session const&, std::function<void (net::Session&)>)";

/** Function, file and line of each frame, innermost first; a module's path where there is no source. */
const stacks: { frames: string[]; blocks: number; size: number; from: bigint; to: bigint; frees?: bigint }[] = [
  ...["remember@src/sessions.c:22", "remember@src/sessions.c:23"].map((place) => ({
    frames: [place, "open_session@src/sessions.c:61", "serve@src/main.c:90", "main@src/main.c:120"],
    ...{ blocks: 2000, size: 200, from: 0n, to: 2n * MINUTE },
  })),
  {
    frames: ["/usr/lib/libstdc++.so.6", `${LONG}@src/net/session_table.cc:148`, "on_event@src/net/loop.cc:31"],
    ...{ blocks: 500, size: 64, from: MINUTE / 2n, to: 2n * MINUTE },
  },
  {
    frames: ["Cache::put@src/cache.cc:40", "warm_up@src/main.c:7", "main@src/main.c:118"],
    ...{ blocks: 200, size: 4096, from: 0n, to: MINUTE / 4n },
  },
  {
    frames: ["parse@src/запрос.c:9", "serve@src/main.c:92"],
    ...{ blocks: 40, size: 100, from: (19n * MINUTE) / 10n, to: 2n * MINUTE, frees: 90_000n },
  },
  {
    frames: ["/usr/lib/libz.so.1", "/usr/lib/libz.so.1"],
    ...{ blocks: 1, size: 600_000, from: MINUTE, to: MINUTE + 1n },
  },
];

function sample(): { image: Uint8Array; names: Names } {
  const builder = new StoreBuilder({
    ...{ exe: "/srv/svc", endTime: 2n * MINUTE, endKind: L.END_EXIT, endStatus: 3 },
    ...{ peakBytes: 9n << 20n, peakTime: MINUTE + 8_000_000_000n },
  });
  const modules = new Map<string, number>();
  const known = new Map<bigint, string>();
  const frames = new Map<string, number>();
  const frameOf = (text: string) => {
    const same = frames.get(text);
    if (same !== undefined) return same;
    const library = text.startsWith("/");
    const path = library ? text : "/srv/svc";
    if (!modules.has(path)) modules.set(path, builder.module(path));
    const offset = BigInt(0x100 + 16 * frames.size);
    if (!library) known.set(offset, text);
    const frame = builder.frame(modules.get(path)!, offset, true);
    frames.set(text, frame);
    return frame;
  };
  let address = 16n;
  for (const { frames: texts, blocks, size, from, to, frees = 0n } of stacks) {
    const stack = builder.stack(texts.map(frameOf), { allocations: BigInt(blocks) + frees, frees });
    for (let i = 0n; i < blocks; i++, address += 16n)
      builder.record({ address, size, time: from + ((to - from) * i) / BigInt(blocks), stack });
  }
  const names: Names = {
    notes: [],
    buildFolder: () => undefined,
    symbolize: async (requests) =>
      requests.map(({ offset }) => {
        const [, name, file, line] = /^(.*)@(.*):(\d+)$/.exec(known.get(offset) ?? "") ?? [];
        if (name === undefined) return [];
        return [{ function: name, file: `${FOLDER}/${file}`, line: Number(line), inlined: false }];
      }),
  };
  return { image: builder.image(), names };
}

const on = (columns: number, look: { NO_COLOR?: string; wide?: boolean } = {}): Style => {
  const { NO_COLOR = "1", wide = false } = look;
  return styleFor(true, { NO_COLOR }, { bytes: false, wide }, { columns, folder: FOLDER });
};

const inPipe = (wide = false): Style => ({ ...styleFor(false, {}, { bytes: false, wide }), folder: FOLDER });

/** By the names of their files. */
export const LOOKS: Record<string, { style: Style; stacks?: boolean }> = {
  "80": { style: on(80) },
  "120": { style: on(120) },
  "200": { style: on(200) },
  "80-stacks": { style: on(80), stacks: true },
  "120-stacks": { style: on(120), stacks: true },
  "120-colour": { style: on(120, { NO_COLOR: "" }), stacks: true },
  piped: { style: inPipe() },
  "piped-stacks": { style: inPipe(), stacks: true },
  "piped-wide": { style: inPipe(true), stacks: true },
};

export async function verdictIn({ style, stacks: withStacks = false }: (typeof LOOKS)[string]): Promise<string> {
  const { image, names } = sample();
  const store = openSource(memorySource(image), "svc.mem", coreBuilds.release);
  const judged = await verdictOn(store, names, { knownSuppressed: true });
  await judged.detail(shownFindings(judged.verdict, 10));
  return [...verdictText(judged, { style, top: 10, stacks: withStacks })].join("");
}

export function vectorOf(look: string): URL {
  return new URL(`../../../test/vectors/verdict/${look}.txt`, import.meta.url);
}
