// Stacks: which memory belongs to a living thread, and which belonged to a thread that has ended.
//
// glibc puts a thread's descriptor at the end of its stack. It keeps the stacks of ended threads, with their
// descriptors, for new threads. The contents of such a stack hold nothing.
//
//      guard │ unused │ ◀─ stack pointer … frames │ thread-local variables │ descriptor │
//                      └──────────────── a root ─────────────────────────────────────┘

import type { Graph } from "./graph.js";
import type { Look, Range, Task } from "./helper.js";
import { containing, subtract } from "./ranges.js";

/** How much memory below its stack pointer a function may use. */
const RED_ZONE = 128;
/** No glibc's descriptor is longer, nor much shorter. */
const DESCRIPTOR_MAX = 4096;
const DESCRIPTOR_LEAST = 2048;
/** In the descriptor. */
const VECTOR = 8;
const PAGE = 4096;

export interface Stack extends Range {
  tid: number;
}

export interface Stacks {
  /** The stacks of living threads. */
  live: Stack[];
  /** Unused memory of stacks. */
  unused: Range[];
}

/** @param unknown anonymous memory that may be stacks */
export async function stacksOf(look: Look, graph: Graph, unknown: readonly Range[]): Promise<Stacks> {
  const live: Stack[] = [];
  const unused: Range[] = [];
  const main = look.mappings.find(({ path }) => path === "[stack]");
  const byDescriptor = new Map<number, Task>();
  for (const task of look.tasks) {
    const { tid, stackPointer: at } = task;
    byDescriptor.set(task.threadPointer, task);
    if (!main || tid !== look.pid) continue;
    const inside = at >= main.start && at < main.end;
    live.push({ tid, start: inside ? at - RED_ZONE : main.start, end: main.end });
    if (inside) unused.push({ start: main.start, end: at - RED_ZONE });
  }
  const found: number[] = [];
  await look.read(unknown, (address, bytes) => {
    graph.put(bytes);
    for (let from = address; ; ) {
      const next = Number(graph.call.threadAt(BigInt(address), bytes.length, BigInt(from)));
      if (next === 0) break;
      found.push(next);
      from = next + 16;
    }
  });
  for (const descriptor of new Set([...found, ...byDescriptor.keys()])) {
    const range = containing(unknown, descriptor);
    const task = byDescriptor.get(descriptor);
    if (!range || task?.tid === look.pid) continue;
    // It ends with a page; and it begins where another one ends, at the earliest.
    const end = Math.min(range.end, Math.ceil((descriptor + DESCRIPTOR_LEAST) / PAGE) * PAGE);
    const before = found.filter((other) => other < descriptor && other >= range.start);
    const start = Math.max(range.start, ...before.map((other) => Math.ceil((other + DESCRIPTOR_LEAST) / PAGE) * PAGE));
    if (!task) {
      // What its descriptor still holds: where its thread-local variables of libraries were, for the next thread.
      unused.push({ start, end: descriptor + VECTOR }, { start: descriptor + VECTOR + 8, end });
      continue;
    }
    const at = task.stackPointer;
    const inside = at >= start && at < descriptor;
    live.push({
      tid: task.tid,
      start: inside ? at - RED_ZONE : start,
      end: Math.min(range.end, descriptor + DESCRIPTOR_MAX),
    });
    if (inside) unused.push({ start, end: at - RED_ZONE });
  }
  return { live, unused: subtract(unused, live) };
}
