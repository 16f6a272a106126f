// The entry "memhook/export": stores and snapshots in the formats of other tools, as `memview export` writes them.

import { COSTS, type Cost } from "../runtime/exports/cost.js";
import { FORMAT_NAMES, FORMATS, type FormatName } from "../runtime/exports/formats.js";
import { profileOfSnapshot, profileOfStores, together } from "../runtime/exports/profile.js";
import type { Snapshot } from "../runtime/host/types.js";
import { checkMembers, oneOf, TEXT } from "./members.js";
import { conditions, FILTER, type Filter, insideOf, type Store, stackConditions } from "./store.js";

export type { Cost } from "../runtime/exports/cost.js";
export type { FormatName } from "../runtime/exports/formats.js";

export interface ExportOptions {
  /** The number after a folded stack: live "bytes" by default. The other formats have all costs. */
  cost?: Cost | undefined;
  /** The profile's title, for formats that have one. */
  title?: string | undefined;
}

/**
 * Stores and snapshots as one file of another tool.
 * @param filter which live allocations of the stores; snapshots are taken as they are.
 * @throws StoreError when a store cannot be read; TypeError, RangeError and SuppressionsError for what makes no sense.
 */
export async function exportProfile(
  sources: Store | Snapshot | readonly (Store | Snapshot)[],
  format: FormatName,
  filter: Filter = {},
  options: ExportOptions = {},
): Promise<Uint8Array> {
  if (!FORMAT_NAMES.includes(format)) throw new RangeError(`format: ${format} is not ${FORMAT_NAMES.join(" or ")}`);
  checkMembers("filter", filter, FILTER);
  checkMembers("options", options, { cost: oneOf(...COSTS), title: TEXT });
  const parts = [];
  for (const source of [sources].flat() as (Store | Snapshot)[]) {
    if (isSnapshot(source)) {
      parts.push(profileOfSnapshot(source));
      continue;
    }
    const { inside, names } = insideOf(source);
    parts.push(
      await profileOfStores([inside], () => names, {
        query: (store) => conditions(store, filter),
        stacks: stackConditions(filter),
      }),
    );
  }
  const { cost = "bytes", title = "memhook" } = options;
  const pieces = [...FORMATS[format].write(together(parts), { title, cost })];
  return Buffer.concat(pieces.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece)));
}

function isSnapshot(source: Store | Snapshot): source is Snapshot {
  return Array.isArray((source as Snapshot).stacks);
}
