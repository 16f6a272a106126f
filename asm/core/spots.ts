// Where in each stack of the answer its place is: the host says of modules and frames which of them are passed over,
// and every stack is followed outwards, from its innermost frame, until a frame that stops it.
//
//   stack ──▶ node ──▶ frame of a module that is passed ──▶ next node
//                      frame that is passed             ──▶ next node
//                      frame that nobody has judged     ──▶ asked about, once; the stack waits there
//                      frame that stops                 ──▶ the stack's spot
//
// So the host hears of every distinct frame once, and only of those that matter, however many stacks share them.
//
// All tables are the host's to read and to write. They lie below the blocks that the tables behind a stack's id come
// in, which may be forgotten meanwhile.

import { FRAME_MODULE, KIND_FRAMES, KIND_MODULES, NODE_FRAME, NODE_PARENT } from "../layout";
import { ESTIMATE_COUNT, estimateOf, findSum, isSelected, nextPaged, SUM_COUNT, sampleMean } from "./aggregate";
import { BIRTH_LARGEST, BIRTH_SMALLEST } from "./births";
import { tooMuch } from "./fault";
import { claim, keep } from "./memory";
import { failureOf, frameAt, nodeAt, stackNode } from "./tables";
import { arrayCount } from "./validate";

// What the host says of a frame. Of a module: MARK_PASS, or nothing.
export const MARK_PASS: u8 = 1;
export const MARK_STOP: u8 = 2;
const MARK_ASKED: u8 = 3;

// Where a stack's search is.
export const SEARCH_NEW: u8 = 0;
export const SEARCH_OPEN: u8 = 1;
export const SEARCH_FOUND: u8 = 2;
export const SEARCH_NONE: u8 = 3;

let count: u32 = 0;
let ids: usize = 0;
let nodes: usize = 0;
let frames: usize = 0;
let outers: usize = 0;
let states: usize = 0;
let sizes: usize = 0;
let moduleMarks: usize = 0;
let frameMarks: usize = 0;
let asked: usize = 0;
let askedLength: u32 = 0;
let at: u32 = 0;

/** Starts with the stacks in the answer. `selected`: those that selectStacks() marked. 0, or FAILED. */
export function beginSpots(selected: bool): i32 {
  count = 0;
  for (let stack = nextPaged(0); stack != u32.MAX_VALUE; stack = nextPaged(stack + 1)) {
    if (isMember(stack, selected)) count++;
  }
  const each = count << 2;
  ids = claim(each);
  nodes = claim(each);
  frames = claim(each);
  outers = claim(each);
  asked = claim(each);
  states = claim(count);
  sizes = claim(count * 24);
  moduleMarks = claim(arrayCount(KIND_MODULES));
  frameMarks = claim(arrayCount(KIND_FRAMES));
  if (!(ids && nodes && frames && outers && asked && states && sizes && moduleMarks && frameMarks)) {
    return tooMuch("has live allocations from more call stacks than fit in memory");
  }
  keep();
  let i: u32 = 0;
  for (let stack = nextPaged(0); stack != u32.MAX_VALUE; stack = nextPaged(stack + 1)) {
    if (!isMember(stack, selected)) continue;
    store<u32>(ids + (i << 2), stack);
    const sum = findSum(stack);
    const size = sizes + i * 24;
    store<f64>(size, <f64>~load<u64>(sum, BIRTH_SMALLEST));
    store<f64>(size, <f64>load<u64>(sum, BIRTH_LARGEST), 8);
    const records = <f64>load<u32>(sum, SUM_COUNT);
    store<f64>(size, sampleMean() > 0 ? nearest(load<f64>(estimateOf(sum), ESTIMATE_COUNT)) : records, 16);
    i++;
  }
  return 0;
}

function isMember(stack: u32, selected: bool): bool {
  const sum = findSum(stack);
  return sum != 0 && (!selected || isSelected(sum));
}

export function spotCount(): u32 {
  return count;
}

/** Ids of the stacks, u32 each. */
export function spotStacks(): usize {
  return ids;
}

/** Where each stack's search is, u8 each. To search on is SEARCH_OPEN, from its innermost frame SEARCH_NEW. */
export function spotStates(): usize {
  return states;
}

/** The frames at which the stacks stopped, and those that called them, 0 if none; u32 each. */
export function spotFrames(): usize {
  return frames;
}

export function spotOuters(): usize {
  return outers;
}

/** Of each stack's live blocks the smallest size, the largest, and their number; f64 each. */
export function spotSizes(): usize {
  return sizes;
}

/** What the host says of the modules and frames, by their ids, u8 each. */
export function spotModuleMarks(): usize {
  return moduleMarks;
}

export function spotFrameMarks(): usize {
  return frameMarks;
}

/** Ids of the frames that the last search asks about, u32 each. */
export function spotAsked(): usize {
  return asked;
}

/** Starts a search for all stacks that have not ended theirs. */
export function beginSearch(): void {
  at = 0;
  askedLength = 0;
}

/** Searches. The number of frames that are asked about, MISSING (call again) or FAILED. */
export function search(): i32 {
  for (; at < count; at++) {
    const state = states + at;
    if (load<u8>(state) >= SEARCH_FOUND) continue;
    const place = nodes + (at << 2);
    if (load<u8>(state) == SEARCH_NEW) {
      const first = stackNode(load<u32>(ids + (at << 2)));
      if (first < 0) return <i32>first;
      store<u32>(place, <u32>first);
      store<u8>(state, SEARCH_OPEN);
    }
    for (;;) {
      const node = load<u32>(place);
      if (!node) {
        store<u8>(state, SEARCH_NONE);
        break;
      }
      const found = nodeAt(node);
      if (!found) return failureOf();
      const parent = load<u32>(found, NODE_PARENT);
      const frame = load<u32>(found, NODE_FRAME);
      const inner = frameAt(frame);
      if (inner < 0) return <i32>inner;
      const mark = load<u8>(frameMarks + frame);
      if (load<u8>(moduleMarks + load<u32>(<usize>inner, FRAME_MODULE)) == MARK_PASS || mark == MARK_PASS) {
        store<u32>(place, parent);
        continue;
      }
      if (mark == MARK_STOP) {
        const outer = parent ? nodeAt(parent) : 0;
        if (parent && !outer) return failureOf();
        store<u32>(frames + (at << 2), frame);
        store<u32>(outers + (at << 2), outer ? load<u32>(outer, NODE_FRAME) : 0);
        store<u8>(state, SEARCH_FOUND);
      } else if (!mark) {
        store<u8>(frameMarks + frame, MARK_ASKED);
        store<u32>(asked + (askedLength << 2), frame);
        askedLength++;
      }
      break;
    }
  }
  return askedLength;
}
