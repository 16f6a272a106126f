// memview diff: what changed between two snapshots, and whether it is a regression.

import { kindOfFile } from "../../runtime/host/filekind.js";
import { diff as compare } from "../../runtime/snapshots/diff.js";
import { defineCommand, UsageError } from "../arguments.js";
import {
  acceptInto,
  givenOptions,
  limitOptions,
  limitsOf,
  selectionOf,
  tellDiff,
  tellingOf,
  tellingOptions,
  writeMissing,
} from "../checking.js";
import { CHECKING, variableEntries } from "../environment.js";
import { quoted } from "../quoted.js";
import { helpOption, WRONG } from "../shared-options.js";
import { snapshotAt } from "../sides.js";

export const diff = defineCommand({
  meta: { name: "diff", description: "compares two snapshots or stores, for CI: exit code 1 if something new leaks" },
  usage: ["[options] BASE HEAD"],
  about: [
    "BASE and HEAD are snapshots or stores. Two call stacks are the same if their program, functions and lines are. " +
      "Among the rest, two are the same if their functions are: their lines have moved. Folders and addresses do not " +
      "matter.",
    "If BASE does not exist, it is written; with CI=true that is an error.",
  ],
  args: {
    ...limitOptions,
    third: {
      type: "string",
      valueHint: "SNAP",
      description:
        "A later snapshot of HEAD's run. Count only what grew from BASE to HEAD, and again from HEAD to this. For " +
        "programs that vary from run to run.",
    },
    update: {
      type: "boolean",
      section: "Accepting a change",
      description: "Write HEAD to BASE and exit with 0. Refused with CI=true.",
    },
    ...tellingOptions,
    ...helpOption,
    base: { type: "positional", required: false, description: "What was accepted" },
    head: { type: "positional", required: false, description: "What is now" },
  },
  examples: [
    ["memview diff base.snap app.mem", "what leaks now and did not before"],
    ["memview diff --max-growth 5% --min-bytes 1KiB base.snap app.mem", ""],
    ["memview diff --format junit base.snap app.mem > leaks.xml", ""],
    ["memview diff --update base.snap app.mem", "accept what is live now"],
  ],
  notes: { Environment: [variableEntries(CHECKING)] },
  exits: [["0", "no regression"], ["1", "a regression"], WRONG],
  async run({ args }) {
    const [base, head] = args._;
    if (base === undefined || head === undefined) throw new UsageError("compare what? memview diff BASE HEAD");
    const telling = tellingOf(args);
    const limits = limitsOf(args);
    const select = selectionOf(args);
    const now = await snapshotAt(head);
    if (args.update) {
      acceptInto(base, now, `memview diff --update ${quoted(base)} ${quoted(head)}`);
      return 0;
    }
    if (kindOfFile(base) === "absent") {
      writeMissing(base, now, `memview snapshot ${quoted(head)} -o ${quoted(base)}`);
      return 0;
    }
    const compared = compare(select(await snapshotAt(base)), select(now));
    const next = args.third === undefined ? undefined : compare(select(now), select(await snapshotAt(args.third)));
    const given = givenOptions(args, [...Object.keys(limitOptions), "third"]);
    const accept = ["memview diff", ...given, "--update", quoted(base), quoted(head)].join(" ");
    return tellDiff(compared, limits, { ...telling, accept, next });
  },
});
