// The entry "memhook": stores, snapshots of them, and what changed from one to another.
//
//   const store = await openStore("app.mem");
//   const { totals, stacks } = await store.stacks({ sort: "size", top: 10, minTimeFromNow: 60_000 });
//   const changes = diff(await readSnapshot("accepted.snap"), await snapshot(store)).changes;
//   store.close();
//
// It is the same under Node, Bun and Deno. test/package/example.mjs is a program that does this.

import type { Snapshot } from "../runtime/host/types.js";
import { preloadAlways } from "../runtime/programs/preload.js";
import { libraryFor } from "../runtime/programs/target.js";
import * as files from "../runtime/snapshots/snapshotfile.js";

export { LaunchError, SnapshotError, StoreError, SuppressionsError } from "../runtime/host/errors.js";
export type {
  Allocation,
  Amount,
  Cut,
  Frame,
  Matched,
  MemoryKind,
  ProcessInfo,
  ProcessState,
  Sample,
  Snapshot,
  SnapshotFrame,
  SnapshotStack,
  StackRow,
  Suppressed,
  Totals,
} from "../runtime/host/types.js";
export { type Change, type Diff, diff, type Status } from "../runtime/snapshots/diff.js";
export {
  type AllocationQuestion,
  type AllocationReport,
  type Filter,
  openStore,
  type Report,
  type StackQuestion,
  type StackReport,
  type Store,
  type Summary,
  snapshot,
} from "./store.js";

/**
 * Reads a snapshot that writeSnapshot() or `memview snapshot` wrote, compressed or not.
 * @throws SnapshotError when there is none, or it is not sound. The frames of a stack are looked at when they are asked
 * for, and so may be what is not.
 */
export async function readSnapshot(path: string): Promise<Snapshot> {
  return files.readSnapshot(path);
}

/**
 * Writes a snapshot as text that version control can compare, compressed where the path ends in ".gz". The file is the
 * old or the new one, whatever happens in between.
 * @throws SnapshotError when it cannot be written.
 */
export async function writeSnapshot(path: string, snapshot: Snapshot): Promise<void> {
  files.writeSnapshot(path, snapshot, path.endsWith(".gz"));
}

/**
 * Absolute path of the library for a program, for LD_PRELOAD, with MEMHOOK_FILE or MEMHOOK_NET_HOST beside it. Without
 * a program: for those of this machine.
 * @throws LaunchError when there is none for it.
 */
export function libraryPath(program?: string): string {
  return preloadAlways(libraryFor(program));
}
