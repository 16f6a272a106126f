// Which chunks glibc keeps for a thread's next call: they look as if they were in use. A thread's lists begin in a
// chunk of their own, tcache_perthread_struct. It is recognised by its contents: each list leads to a chunk of that
// list's size.
//
//     2.26  counts u8[64]    lists[64]            576 bytes
//     2.30  counts u16[64]   lists[64]            640
//     2.42  slots u16[76]    lists[76], the last 12 of larger chunks    760

import type { Graph } from "./graph.js";
import type { Look } from "./helper.js";

type Layout = (typeof LAYOUTS)[number];

const LAYOUTS = [
  { usable: 584, lists: 64, at: 64 },
  { usable: 648, lists: 64, at: 128 },
  { usable: 760, lists: 76, at: 152 },
];
const SMALL = 64;
/** The most threads. */
const CANDIDATES_MAX = 1 << 16;

/** Marks as free what is in the lists, and the lists themselves. */
export async function freeCached(look: Look, graph: Graph): Promise<void> {
  for (const layout of LAYOUTS) {
    const { call } = graph;
    const count = call.blockCount() >>> 0;
    let tried = 0;
    for (let block = 0; tried < CANDIDATES_MAX; block++) {
      block = call.nextWith(block, BigInt(layout.usable)) >>> 0;
      if (block >= count) break;
      // The store knows what the program has.
      if (graph.known(block)) continue;
      tried++;
      await freeLists(look, graph, Number(call.addressOf(block)), layout);
    }
  }
}

async function freeLists(look: Look, graph: Graph, address: number, layout: Layout): Promise<void> {
  const view = await look.get(address, layout.at + layout.lists * 8);
  const lists = Array.from({ length: layout.lists }, (_, i) => view.getBigUint64(layout.at + i * 8, true));
  const fits = lists.every((first, i) => {
    if (first === 0n) return true;
    const usable = graph.call.usableAt(first);
    return i < SMALL ? usable === 24 + 16 * i : usable > 24 + 16 * SMALL;
  });
  if (!fits || lists.every((first) => first === 0n)) return;
  for (const first of lists) graph.call.setFreeList(first, 0n);
  graph.call.setFree(BigInt(address));
}
