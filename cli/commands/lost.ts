// memview lost: which blocks nothing in a running program points to any more.

import { LookError } from "../../runtime/host/errors.js";
import { judge, VERDICTS, type Verdict } from "../../runtime/reach/lost.js";
import { lostReport } from "../../runtime/reach/report.js";
import { openStore } from "../../runtime/stores/store.js";
import { symbolizerOf } from "../../runtime/symbols/names.js";
import { defineCommand, UsageError } from "../arguments.js";
import { messages } from "../messages.js";
import { print } from "../output.js";
import { lostJson, lostText } from "../reports/lost.js";
import { formatOption, helpOption, lookOptions, storeOptions, storePath, WRONG } from "../shared-options.js";
import { terminalStyle } from "../terminal.js";
import { duration, integer, word } from "../values.js";

export const lost = defineCommand({
  meta: { name: "lost", description: "shows blocks that nothing in a running program points to any more" },
  usage: ["[options] [-m [NAME] | [-f] PATH | --pid PID]"],
  about: [
    "The program stands still for a moment, usually milliseconds, and runs on. Each block gets one of these " +
      "verdicts:",
    [
      ["lost", "nothing points to it, so it can never be freed"],
      ["indirect", "only lost blocks point to it"],
      ["interior", "held, but only by pointers into it, not to its beginning, or by such a block"],
      ["reachable", "held by variables, stacks, registers or mappings"],
    ],
    "A block is reported when it was lost in two looks. docs/lost.md says what that means, and what cannot be known.",
  ],
  args: {
    ...storeOptions,
    pid: {
      type: "string",
      valueHint: "PID",
      section: "Which store",
      description: "A process without a store, with glibc. Its blocks have no call stacks.",
    },
    freeze: {
      type: "string",
      valueHint: "HOW",
      section: "How to look",
      description:
        "snapshot: the program stands still while its page tables are copied, and its memory is read from the copy. " +
        "stop: it stands still until its memory has been read. auto, the default: snapshot where possible, " +
        "otherwise stop.",
    },
    "max-pause": {
      type: "string",
      valueHint: "TIME",
      description:
        "Do not stop the program for longer than this: 50ms. Without this option only --freeze bounds the pause.",
    },
    confirm: { type: "string", valueHint: "N", description: "Report what is lost in N looks; the default is 2." },
    aggregate: {
      type: "boolean",
      alias: "a",
      bare: true,
      section: "What to show",
      description:
        "In JSON, one element for each call stack instead of one for each block. The text always has call stacks.",
    },
    show: {
      type: "string",
      valueHint: "VERDICTS",
      description:
        "List the blocks with these verdicts, such as lost,indirect. The default is lost in text, and lost,indirect " +
        "in JSON. Sums always cover all verdicts.",
    },
    ...formatOption,
    "exit-code": { type: "string", valueHint: "N", description: "Exit with N when something is lost." },
    ...lookOptions,
    ...helpOption,
  },
  examples: [
    ["memview lost app.mem", "what is lost, by call stack, the largest last"],
    ["memview lost --pid 4711", "for a program that was started without memhook"],
    ["memview lost --exit-code 1 --format json app.mem | jq .verdicts", "for a script"],
  ],
  exits: [["0", "fine"], ["that of --exit-code", "something is lost"], WRONG],
  async run({ args }) {
    const format = word("format", args.format ?? "text", ["text", "json"]);
    const method = word("freeze", args.freeze ?? "auto", ["auto", "snapshot", "stop"]);
    const longestMs = args["max-pause"] === undefined ? 0 : Number(duration("max-pause", args["max-pause"])) / 1e6;
    const confirm = integer("confirm", args.confirm ?? "2", 1, 100);
    const code = args["exit-code"] === undefined ? 0 : integer("exit-code", args["exit-code"], 0, 255);
    const show = verdictsOf(args.show ?? (format === "json" ? "lost,indirect" : "lost"));
    const named = args.path ?? args["mapped-file"] ?? args["shared-memory"];
    if (args.pid !== undefined && named !== undefined) {
      throw new UsageError("--pid is for a process without a store; name one of them");
    }
    const store = args.pid === undefined ? await openStore(storePath(args)) : undefined;
    const its = store?.process;
    const pid = store ? store.visiblePid() : integer("pid", args.pid!, 1, 2 ** 22);
    try {
      if (pid === undefined) {
        const gone = "has ended, or runs where it is not seen from here; what points to what, only a running one knows";
        throw new LookError(`${store!.path}: its process ${its!.pid} ${gone}`);
      }
      const names = store && symbolizerOf(store);
      const judged = await judge(pid, store, { method, longestMs, confirm });
      const aggregate = format === "text" || (args.aggregate ?? false);
      const report = await lostReport(judged, store && { store, names: names!, process: its! }, { aggregate, show });
      print(format === "json" ? lostJson(report) : lostText(report, terminalStyle(1, args)));
      for (const note of names?.notes ?? []) messages("memview").warn(note);
      return report.verdicts.lost.count > 0 ? code : 0;
    } finally {
      store?.close();
    }
  },
});

function verdictsOf(text: string): Verdict[] {
  return text.split(",").map((each) => word("show", each, VERDICTS));
}
