// memview list: the stores of one run. The program's own is at PATH; those of the processes that it started are beside
// it, at stem.PID.ext and similar names.

import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { openStore, StoreError } from "../../runtime/stores/store.js";
import { storesAt } from "../../runtime/stores/storenames.js";
import { defineCommand } from "../arguments.js";
import { messages } from "../messages.js";
import { print } from "../output.js";
import { type Listed, listJson, listText } from "../reports/list.js";
import { EXITS, formatOption, helpOption, lookOptions, storeOptions, storePath } from "../shared-options.js";
import { terminalStyle } from "../terminal.js";
import { word } from "../values.js";

export const list = defineCommand({
  meta: { name: "list", description: "shows the processes of one run, each with its store" },
  usage: ["[options] [-m [NAME] | [-f] PATH]"],
  about: [
    "PATH is the path of the first process, as in MEMHOOK_FILE; %p and %e in it stand for any process and program. " +
      "The process that holds most comes last.",
  ],
  args: { ...storeOptions, ...formatOption, ...lookOptions, ...helpOption },
  examples: [
    ["memview list app.mem", ""],
    ["memview list --format json app.mem | jq '.stores[].pid'", "for a script"],
  ],
  exits: EXITS,
  async run({ args }) {
    const path = storePath(args);
    const format = word("format", args.format ?? "text", ["text", "json"]);
    const paths = existsSync(dirname(path)) ? storesAt(path) : [];
    if (paths.length === 0) {
      throw new StoreError(
        `${path}: no such file, nor any beside it; start the program under memhook, or name its store`,
      );
    }
    const listed: Listed[] = [];
    for (const each of paths) {
      try {
        const store = await openStore(each);
        const { liveCount, liveBytes, dropped } = store.totals();
        listed.push({ path: each, ...store.process, parentPid: store.parentPid, liveCount, liveBytes, dropped });
        store.close();
      } catch (error) {
        // One that is no store is no reason not to show the others.
        if (!(error instanceof StoreError) || paths.length === 1) throw error;
        messages("memview").warn(error.message);
      }
    }
    listed.sort((a, b) => a.liveBytes - b.liveBytes || a.pid - b.pid);
    print(format === "json" ? listJson(listed) : listText(listed, terminalStyle(1, args)));
    return 0;
  },
});
