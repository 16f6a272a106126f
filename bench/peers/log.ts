// Reads the log that witness.c writes, and tells what was live at the end in each space of addresses: a process until
// it execs.
//
//   head, 32 bytes:   next place u64, places u64, spaces u32
//   event, 32 bytes:  address u64, size u64, kind u32, space u32, thread u32, alignment u32
//
// A child of fork begins with what its parent had. Other threads of the parent go on meanwhile: what they did between
// the call and the child's beginning may or may not be in the child, so these addresses are uncertain there.

import { closeSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { add, cut, type Ranges } from "./ranges.js";

const HEAD_BYTES = 32;
const EVENT_BYTES = 32;
const PLACES = 4 << 20;
const PAGE = 4096;

const [SPACE, FORKED, ALLOCATE, FREE, RESTORE, MAP, UNMAP, REMAP] = [1, 2, 3, 4, 5, 6, 7, 8];
const PROGRAM_BEGINS = 0xffff_ffff;
const PARENT_UNKNOWN = 0;

export interface Block {
  size: number;
  /** 1 if none was asked for. */
  alignment: number;
}

export interface Space {
  pid: number;
  blocks: Map<number, Block>;
  mapped: Ranges;
  /** Addresses that its parent allocated or freed while it was being made. */
  uncertain: Set<number>;
  /** Events of its own. */
  calls: number;
  /** False in a child that was not made by fork(): nobody saw with what it began. */
  known: boolean;
}

interface Event {
  place: number;
  address: number;
  size: number;
  kind: number;
  space: number;
  thread: number;
  alignment: number;
}

/** Makes an empty log. Only what is written takes room. */
export function createLog(path: string): void {
  const file = openSync(path, "wx", 0o666);
  ftruncateSync(file, HEAD_BYTES + PLACES * EVENT_BYTES);
  writeSync(file, new BigUint64Array([0n, BigInt(PLACES)]), 0, 16, 0);
  closeSync(file);
}

/** What was live at the end, in the order in which the spaces began; undefined when the log was too small. */
export function readLog(path: string): Space[] | undefined {
  const events = readEvents(path);
  return events && new Replay(events).spaces;
}

function readEvents(path: string): Event[] | undefined {
  const file = openSync(path, "r");
  try {
    const head = new DataView(new ArrayBuffer(HEAD_BYTES));
    readSync(file, head, 0, HEAD_BYTES, 0);
    const count = Number(head.getBigUint64(0, true));
    if (count > PLACES) return undefined;
    const view = new DataView(new ArrayBuffer(count * EVENT_BYTES));
    readSync(file, view, 0, view.byteLength, HEAD_BYTES);
    return Array.from({ length: count }, (_, place) => {
      const at = place * EVENT_BYTES;
      return {
        place,
        address: Number(view.getBigUint64(at, true)),
        size: Number(view.getBigUint64(at + 8, true)),
        kind: view.getUint32(at + 16, true),
        space: view.getUint32(at + 20, true),
        thread: view.getUint32(at + 24, true),
        alignment: 2 ** view.getUint32(at + 28, true),
      };
    });
  } finally {
    closeSync(file);
  }
}

/** What a thread took away last, in case that its call fails. */
interface Removed {
  block?: { address: number; block: Block };
  ranges: { address: number; pieces: Ranges }[];
}

class Replay {
  readonly spaces: Space[] = [];
  readonly #byId = new Map<number, Space>();
  readonly #removed = new Map<number, Removed>();

  constructor(events: readonly Event[]) {
    const forks = events.filter(
      ({ kind, thread }) => kind === SPACE && thread !== PROGRAM_BEGINS && thread !== PARENT_UNKNOWN,
    );
    forks.sort((a, b) => a.size - b.size);
    let next = 0;
    for (const event of events) {
      for (; next < forks.length && forks[next]!.size <= event.place; next++) this.#fork(forks[next]!, events);
      this.#apply(event);
    }
  }

  /** The child of this event begins as its parent is now. */
  #fork(event: Event, events: readonly Event[]): void {
    const parent = this.#byId.get(event.thread)!;
    const child: Space = {
      pid: event.address,
      blocks: new Map(parent.blocks),
      mapped: [...parent.mapped],
      uncertain: new Set(),
      calls: 0,
      known: parent.known,
    };
    for (let place = event.size; place < event.place; place++) {
      const { kind, space, address } = events[place]!;
      if (space !== event.thread) continue;
      if (kind === FORKED && address === child.pid) break;
      child.uncertain.add(address);
    }
    this.#begin(event.space, child);
  }

  #begin(id: number, space: Space): void {
    this.#byId.set(id, space);
    this.spaces.push(space);
  }

  #apply(event: Event): void {
    const { address, size, kind, thread, alignment } = event;
    if (kind === SPACE) {
      if (this.#byId.has(event.space)) return;
      const known = thread === PROGRAM_BEGINS;
      const fresh = { blocks: new Map(), mapped: [], uncertain: new Set<number>(), calls: 0 };
      this.#begin(event.space, { pid: address, known, ...fresh });
      return;
    }
    const space = this.#byId.get(event.space);
    // A place that a thread had taken when it was killed.
    if (!space) return;
    space.calls++;
    const removed = this.#removed.get(thread) ?? { ranges: [] };
    this.#removed.set(thread, removed);
    const start = Math.floor(address / PAGE) * PAGE;
    const end = Math.ceil((address + size) / PAGE) * PAGE;
    switch (kind) {
      case ALLOCATE:
        space.blocks.set(address, { size, alignment });
        break;
      case FREE: {
        const block = space.blocks.get(address);
        if (block) removed.block = { address, block };
        else delete removed.block;
        space.blocks.delete(address);
        break;
      }
      case UNMAP:
        // mremap takes two away.
        removed.ranges = [{ address, pieces: cut(space.mapped, start, end) }, ...removed.ranges.slice(0, 1)];
        break;
      case REMAP:
        if (removed.ranges[0]!.pieces.length > 0) add(space.mapped, start, end);
        break;
      case MAP:
        add(space.mapped, start, end);
        break;
      case RESTORE: {
        if (removed.block?.address === address) space.blocks.set(address, removed.block.block);
        const pieces = removed.ranges.find((range) => range.address === address)?.pieces ?? [];
        for (const [from, to] of pieces) add(space.mapped, from, to);
        break;
      }
    }
  }
}
