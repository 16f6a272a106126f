// memview export: what is live, for other tools; see runtime/exports/profile.ts.

import { basename } from "node:path";
import { COSTS } from "../../runtime/exports/cost.js";
import { FORMAT_NAMES, FORMATS } from "../../runtime/exports/formats.js";
import { type Profile, profileOfSnapshot, profileOfStores, together } from "../../runtime/exports/profile.js";
import { whyNotWritten } from "../../runtime/host/errors.js";
import { kindOfFile } from "../../runtime/host/filekind.js";
import type { Moment } from "../../runtime/host/types.js";
import { writeWhole } from "../../runtime/host/wholefile.js";
import { readSnapshot } from "../../runtime/snapshots/snapshotfile.js";
import { openStore } from "../../runtime/stores/store.js";
import { symbolizerOf } from "../../runtime/symbols/names.js";
import { defineCommand, UsageError } from "../arguments.js";
import { type Filters, filterOptions, filtersOf } from "../filters.js";
import { messages } from "../messages.js";
import { print } from "../output.js";
import { BYPASSED } from "../reports/text.js";
import { atOption, EXITS, helpOption, momentOf, storeOptions, storePath } from "../shared-options.js";
import { word } from "../values.js";

export const exportCommand = defineCommand({
  meta: { name: "export", description: "writes what is live in the format of another tool: pprof, flame graphs, …" },
  usage: ["[options] [-m [NAME] | [-f] PATH…] [-o FILE]"],
  about: [
    "PATH is a store or a snapshot; several become one profile. The formats, and what reads them:",
    FORMAT_NAMES.map((name) => [name, FORMATS[name].readers] as const),
    "pprof, speedscope, dhat and folded also have what was allocated and freed. From a snapshot, or with a filter " +
      "for live allocations, they have only stacks with live memory.",
  ],
  args: {
    ...storeOptions,
    "mapped-file": { ...storeOptions["mapped-file"], many: true },
    path: { ...storeOptions.path, many: true, description: "The store's or snapshot's file" },
    format: {
      type: "string",
      valueHint: FORMAT_NAMES.join("|"),
      section: "The profile",
      description: "The format; pprof is the default.",
    },
    output: {
      type: "string",
      alias: "o",
      valueHint: "FILE",
      description: "Write to this file instead of standard output.",
    },
    cost: {
      type: "string",
      valueHint: COSTS.join("|"),
      description:
        "The number after a folded stack: live bytes (the default) or blocks, allocations or allocated bytes since " +
        "the start, temporary allocations, bytes at the peak. The other formats have all of these.",
    },
    ...atOption,
    ...filterOptions,
    ...helpOption,
  },
  examples: [
    ["memview export app.mem -o app.pb.gz && go tool pprof -top app.pb.gz", ""],
    ["memview export --format folded app.mem | inferno-flamegraph >app.svg", "a flame graph of live bytes"],
    [
      "memview export --format speedscope app.mem app.*.mem -o app.speedscope.json",
      "with the processes that it started",
    ],
    ["memview export --format heaptrack app.mem -o app.ht", "for heaptrack_gui app.ht"],
  ],
  exits: EXITS,
  async run({ args }) {
    const [only, ...more] = args._;
    const paths = more.length > 0 ? [...args._] : [storePath({ ...args, "mapped-file": undefined, path: only })];
    const format = word("format", args.format ?? "pprof", FORMAT_NAMES);
    const cost = word("cost", args.cost ?? "bytes", COSTS);
    if (args.cost !== undefined && format !== "folded") {
      throw new UsageError(`--cost: ${format} has all costs; leave it out, or write --format folded`);
    }
    if (format === "pprof" && args.output === undefined && process.stdout.isTTY) {
      throw new UsageError("pprof is no text for a terminal; write -o FILE");
    }
    const profile = await profileOf(paths, filtersOf(args), momentOf(args, "end"));
    const title = paths.map((path) => basename(path)).join(" ");
    const pieces = FORMATS[format].write(profile, { title, cost });
    if (args.output === undefined) {
      print(pieces);
      return 0;
    }
    try {
      writeWhole(args.output, pieces);
    } catch (error) {
      throw new UsageError(`-o ${args.output}: cannot be written (${whyNotWritten(error)})`);
    }
    return 0;
  },
});

/** Stores and snapshots as one profile. Reports why names are missing. */
async function profileOf(paths: readonly string[], filters: Filters, at: Moment): Promise<Profile> {
  const parts: Profile[] = [];
  const notes = new Set<string>();
  for (const path of paths) {
    const kind = kindOfFile(path);
    if (kind === "snapshot" || kind === "compressed") {
      parts.push(profileOfSnapshot(readSnapshot(path)));
      continue;
    }
    const store = await openStore(path, at);
    try {
      const names = symbolizerOf(store);
      parts.push(await profileOfStores([store], () => names, filters));
      if (store.bypassed) notes.add(`${path}: ${BYPASSED}`);
      for (const note of names.notes) notes.add(note);
      names.close();
    } finally {
      store.close();
    }
  }
  for (const note of notes) messages("memview").warn(note);
  return together(parts);
}
