// Exported files as text, for vectors and tests.

import { gunzipSync } from "node:zlib";
import { Profile } from "pprof-format";
import { exportProfile } from "../../api/export.js";
import type { Filter, Snapshot, Store } from "../../api/memhook.js";
import type { FormatName } from "../../runtime/exports/formats.js";

/** The file as text that a test can compare. */
export async function textOf(source: Store | Snapshot, format: FormatName, filter?: Filter): Promise<string> {
  const bytes = await exportProfile(source, format, filter);
  return format === "pprof" ? pprofText(bytes) : Buffer.from(bytes).toString();
}

/** A profile as text: the strings in the place of their numbers. */
export function pprofText(bytes: Uint8Array): string {
  const profile = Profile.decode(gunzipSync(bytes));
  const { strings } = profile.stringTable;
  const named = (key: string, value: unknown) =>
    ["type", "unit", "filename", "buildId", "name", "systemName", "key", "str"].includes(key)
      ? strings[Number(value)]
      : value;
  const plain = (key: string, value: unknown) => (typeof value === "bigint" ? Number(value) : named(key, value));
  const { sampleType, sample, mapping, location, period, timeNanos, defaultSampleType, comment } = profile;
  const rest = {
    period,
    timeNanos,
    default: strings[Number(defaultSampleType)],
    comment: comment.map((at) => strings[Number(at)]),
  };
  const lines = [sampleType, sample, mapping, location, profile.function].flat();
  return `${[...lines, rest].map((each) => JSON.stringify(each, plain)).join("\n")}\n`;
}
