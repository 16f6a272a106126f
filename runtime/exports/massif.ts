// massif's format, for ms_print and massif-visualizer: snapshots over time, and trees of who holds how much, for the
// newest snapshot and for the peak.

import { Known } from "./known.js";
import { commandOf, oneLine, outsideIn, type Profile } from "./profile.js";
import { callText } from "./valgrind.js";

/** A function in the tree of callers, innermost at the top. */
interface Node {
  bytes: number;
  children: Known<string, Node>;
}

interface Look {
  /** Milliseconds. */
  time: number;
  bytes: number;
  tree?: { kind: "detailed" | "peak"; root: Node };
}

const ALLOCATING = "(heap allocation functions) malloc, operator new, mmap";

export function* massif(profile: Profile, title: string): Generator<string> {
  yield `desc: memhook\ncmd: ${commandOf(profile, title)}\ntime_unit: ms\n`;
  const now = tree(profile, (stack) => stack.live.bytes);
  const then = tree(profile, (stack) => stack.totals?.peakBytes ?? 0);
  let number = 0;
  for (const look of looksOf(profile, now, then)) {
    yield `#-----------\nsnapshot=${number++}\n#-----------\ntime=${look.time}\nmem_heap_B=${look.bytes}\n`;
    yield `mem_heap_extra_B=0\nmem_stacks_B=0\nheap_tree=${look.tree?.kind ?? "empty"}\n`;
    if (look.tree !== undefined) yield* lines(ALLOCATING, look.tree.root, 0);
  }
}

/** What was live over time, as far as is known: its sum where there is a tree is that of the tree. */
function looksOf({ process }: Profile, now: Node, then: Node): Look[] {
  const end = process?.endTime ?? 0;
  const risen = now.bytes >= then.bytes;
  const last: Look = { time: end, bytes: now.bytes, tree: { kind: risen ? "peak" : "detailed", root: now } };
  if (process === null) return [last];
  const looks: Look[] = process.timeline
    .map(({ time, liveBytes }) => ({ time: Number(time / 1_000_000n), bytes: liveBytes }))
    .filter(({ time }) => time !== process.peakTime && time < end);
  if (!risen) looks.push({ time: process.peakTime, bytes: then.bytes, tree: { kind: "peak", root: then } });
  return [...looks.sort((a, b) => a.time - b.time), last];
}

function newNode(): Node {
  return { bytes: 0, children: new Known() };
}

function tree(profile: Profile, bytesOf: (stack: Profile["stacks"][number]) => number): Node {
  const root = newNode();
  for (const stack of profile.stacks) {
    const bytes = bytesOf(stack);
    if (bytes === 0) continue;
    root.bytes += bytes;
    let node = root;
    const names = outsideIn(profile, stack).reverse();
    for (const [i, name] of names.entries()) {
      const text = callText(name, stack.frames[i]);
      node = node.children.of(text, newNode);
      node.bytes += bytes;
    }
  }
  return root;
}

/** A node and what is below it, the largest first: one blank more for each step inwards. */
function* lines(text: string, node: Node, depth: number): Generator<string> {
  yield `${" ".repeat(depth)}n${node.children.size}: ${node.bytes} ${oneLine(text)}\n`;
  const children = [...node.children].sort(([, a], [, b]) => b.bytes - a.bytes);
  for (const [name, child] of children) yield* lines(name, child, depth + 1);
}
