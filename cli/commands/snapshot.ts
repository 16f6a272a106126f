// memview snapshot: what is live, as a file that another build can be compared with; see runtime/snapshots/snapshot.ts.

import { snapshotText, writeSnapshot } from "../../runtime/snapshots/snapshotfile.js";
import { defineCommand } from "../arguments.js";
import { filterOptions, filtersOf } from "../filters.js";
import { print } from "../output.js";
import { atOption, EXITS, helpOption, momentOf, storeOptions, storePath } from "../shared-options.js";
import { snapshotOfStores } from "../sides.js";

export const snapshot = defineCommand({
  meta: { name: "snapshot", description: "writes what is live to a text file, for memview diff and version control" },
  usage: ["[options] [-m [NAME] | [-f] PATH…] -o FILE"],
  about: [
    "The snapshot lists the call stacks that hold memory, with functions, files and lines. It has no addresses, " +
      "process ids or times, so it is the same from run to run, and in another folder. Several stores become one " +
      "snapshot.",
  ],
  args: {
    ...storeOptions,
    "mapped-file": { ...storeOptions["mapped-file"], many: true },
    path: { ...storeOptions.path, many: true },
    output: {
      type: "string",
      alias: "o",
      valueHint: "FILE",
      section: "The snapshot",
      description: "Write to this file instead of standard output.",
    },
    compress: {
      type: "boolean",
      bare: true,
      description: "Compress with gzip. Reading detects this by itself.",
    },
    ...atOption,
    ...filterOptions,
    ...helpOption,
  },
  examples: [
    ["memview snapshot app.mem -o base.snap", ""],
    ["memview snapshot app.mem app.*.mem -o base.snap", "the program and the processes that it started"],
    [
      "memview snapshot --min-time-from-start 1min --compress app.mem -o base.snap.gz",
      "without what start-up allocated",
    ],
  ],
  exits: EXITS,
  async run({ args }) {
    const [only, ...more] = args._;
    const paths = more.length > 0 ? [...args._] : [storePath({ ...args, "mapped-file": undefined, path: only })];
    const { query, stacks } = filtersOf(args);
    const taken = await snapshotOfStores(paths, { query, stacks }, undefined, momentOf(args, "end"));
    const compress = args.compress ?? false;
    if (args.output !== undefined) writeSnapshot(args.output, taken, compress);
    else print(snapshotText(taken));
    return 0;
  },
});
