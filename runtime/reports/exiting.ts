// What a process freed while it exited: its exit handlers, destructors and runtime.

import type { Store } from "../stores/store.js";

/** What was live when that began, and not at the end. null: the process has not begun to exit. */
export async function freedInExit(store: Store): Promise<{ count: number; bytes: number } | null> {
  const { exitTime } = store.info();
  if (exitTime === 0n) return null;
  // What came later is not among it.
  const query = { aggregate: false, sort: "time", top: 0, maxTime: exitTime } as const;
  const { matched: before } = await store.query({ ...query, at: "exit" });
  const { matched: after } = await store.query({ ...query, at: "end" });
  return { count: before.count - after.count, bytes: before.bytes - after.bytes };
}
