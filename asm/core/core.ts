// core.wasm: checks a store, filters and groups its records, sorts the answer, and follows a stack id to its frames.
//
//   memory.ts ◀─ validate.ts ◀─ tables.ts, summary.ts
//       ▲
//       └─ entries.ts ◀─ sort.ts    aggregate.ts ◀─ births.ts ◀─ records.ts ◀─ rows.ts    fault.ts: what went wrong
//                                                    └─ spots.ts ◀─ places.ts
//
// It imports nothing, keeps no managed objects and reads no file. The host (runtime/) puts pieces of the file into its
// memory and calls flat functions one after the other. The input may be any bytes: a function that finds nonsense
// records a fault and returns FAILED (addresses: 0).

export {
  beginSums,
  claimMask,
  listStackIds,
  selectStacks,
  setBirths,
  setSample,
  stackIdCount,
  suppressedBytes,
  suppressedCount,
} from "./aggregate";
export {
  BIRTH_ALLOCATED_BYTES,
  BIRTH_ALLOCATIONS,
  BIRTH_BYTES,
  BIRTH_COUNTS,
  BIRTH_FREED_BYTES,
  BIRTH_FREES,
  BIRTH_LARGEST,
  BIRTH_SMALLEST,
  BIRTH_STEP,
  setLife,
  takeTotals,
} from "./births";
export { beginEntries, entriesLength } from "./entries";
export {
  FAULT_DAMAGED,
  FAULT_NEWER,
  FAULT_TOO_MUCH,
  FAULT_TRUNCATED,
  FAULT_UNSUPPORTED,
  faultKind,
  faultNumber,
  faultText,
  faultTextLength,
} from "./fault";
export { FRAMES, FRAMES_MAX, HEADER, PIECE, releaseAll, SECOND } from "./memory";
export {
  claimPlaces,
  gather,
  PLACE_BIRTHS,
  PLACE_BYTES,
  PLACE_COUNT,
  PLACE_ENTRY,
  PLACE_LARGEST,
  PLACE_NEWEST,
  PLACE_OLDEST,
  PLACE_SPREAD,
  PLACE_STACKS,
  PLACE_VARIANCE,
} from "./places";
export {
  beginScan,
  COLLECT_ENTRIES,
  COLLECT_NOTHING,
  COLLECT_SUMS,
  freedBytes,
  freedCount,
  liveBytes,
  liveCount,
  matchedBytes,
  matchedBytesSpread,
  matchedBytesVariance,
  matchedCount,
  newestTime,
  ORDER_ADDRESS,
  ORDER_SIZE,
  ORDER_TIME,
  scan,
  scanBirths,
  setExit,
  setFilter,
  setOpen,
  settle,
} from "./records";
export {
  admitStacks,
  beginStacks,
  collectStacks,
  MORE_BYTES,
  MORE_COUNT,
  MORE_ENTRY,
  MORE_SPREAD,
  MORE_TOTAL,
  MORE_VARIANCE,
  ORDER_ALLOCATIONS,
  ORDER_BYTES,
  ORDER_COUNT,
  ORDER_PEAK,
  ORDER_TEMPORARIES,
  ROW_BYTES,
  ROW_COUNT,
  ROW_NEWEST,
  ROW_OLDEST,
  ROW_STACK,
  recordRows,
  stackMore,
  stackRows,
  stacksBytes,
  stacksBytesSpread,
  stacksBytesVariance,
  stacksMatched,
  stackTotal,
  sumStacks,
} from "./rows";
export {
  beginSearch,
  beginSpots,
  MARK_PASS,
  MARK_STOP,
  SEARCH_FOUND,
  SEARCH_NEW,
  SEARCH_NONE,
  SEARCH_OPEN,
  search,
  spotAsked,
  spotCount,
  spotFrameMarks,
  spotFrames,
  spotModuleMarks,
  spotOuters,
  spotSizes,
  spotStacks,
  spotStates,
} from "./spots";
export { sumThreads, tidyTimeline } from "./summary";
export {
  beginInnermostModules,
  beginWalk,
  forgetBlocks,
  frameAt,
  innermostModules,
  MISSING,
  moduleAt,
  placeBlock,
  stringAt,
  walk,
  walkCut,
  wantedBlock,
  wantedBytes,
} from "./tables";
export { arrayCount, checkHeader, fileBlock } from "./validate";
