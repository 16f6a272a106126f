// The inputs of memview diff and growth: a snapshot's file, or a store, from which a snapshot is taken now.

import { kindOfFile } from "../runtime/host/filekind.js";
import type { Moment } from "../runtime/host/types.js";
import { type Snapshot, type SnapshotOptions, takeSnapshot } from "../runtime/snapshots/snapshot.js";
import { readSnapshot } from "../runtime/snapshots/snapshotfile.js";
import { openStore } from "../runtime/stores/store.js";
import type { KeptFiles } from "../runtime/symbols/debugfiles.js";
import { symbolizerOf } from "../runtime/symbols/names.js";
import { messages } from "./messages.js";
import { BYPASSED } from "./reports/text.js";

/**
 * The snapshot of some stores together. What stood in the way of names is told.
 * @param kept files of modules that are gone
 * @param at what is taken of a process that exited: what was live when that began, or at the end
 * @throws StoreError when one cannot be read.
 */
export async function snapshotOfStores(
  paths: readonly string[],
  options?: SnapshotOptions,
  kept?: KeptFiles,
  at?: Moment,
): Promise<Snapshot> {
  const notes = new Set<string>();
  const stores = [];
  try {
    for (const path of paths) stores.push(await openStore(path, at));
    const symbolizers = new Map(stores.map((store) => [store, symbolizerOf(store, kept)]));
    const snapshot = await takeSnapshot(stores, (store) => symbolizers.get(store)!, options);
    for (const store of stores) if (store.bypassed) notes.add(`${store.path}: ${BYPASSED}`);
    for (const { notes: own } of symbolizers.values()) for (const note of own) notes.add(note);
    for (const note of notes) messages("memview").warn(note);
    return snapshot;
  } finally {
    for (const store of stores) store.close();
  }
}

/**
 * One side of a comparison.
 * @throws SnapshotError, StoreError
 */
export async function snapshotAt(path: string, options?: SnapshotOptions): Promise<Snapshot> {
  const kind = kindOfFile(path);
  return kind === "snapshot" || kind === "compressed" ? readSnapshot(path) : snapshotOfStores([path], options);
}
