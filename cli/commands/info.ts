// memview info: what a store says about its process and about itself.

import { openStore } from "../../runtime/stores/store.js";
import { defineCommand } from "../arguments.js";
import { print } from "../output.js";
import { infoJson, infoText } from "../reports/info.js";
import { EXITS, formatOption, helpOption, storeOptions, storePath } from "../shared-options.js";
import { word } from "../values.js";

export const info = defineCommand({
  meta: { name: "info", description: "shows the process, its totals over time, and how full its store is" },
  usage: ["[options] [-m [NAME] | [-f] PATH]"],
  args: { ...storeOptions, ...formatOption, ...helpOption },
  examples: [
    ["memview info app.mem", ""],
    ["memview info --format json app.mem | jq .timeline", "live bytes over time"],
  ],
  exits: EXITS,
  async run({ args }) {
    const path = storePath(args);
    const format = word("format", args.format ?? "text", ["text", "json"]);
    const store = await openStore(path);
    try {
      print(format === "json" ? infoJson(store) : infoText(store));
      return 0;
    } finally {
      store.close();
    }
  },
});
