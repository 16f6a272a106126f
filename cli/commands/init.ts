// memhook init: launchers for a project that has memhook installed.

import { writeLaunchers } from "../../runtime/programs/launchers.js";
import { defineCommand } from "../arguments.js";
import { writeAll } from "../output.js";
import { EXITS, helpOption } from "../shared-options.js";

export const init = defineCommand({
  meta: { name: "init", description: "writes memview, memdb and memhook into a project that has memhook installed" },
  usage: [""],
  about: [
    "The three files in the current folder start the programs in node_modules, with any of the runtimes: node " +
      "memview, bun memdb, deno run -A memview. Existing files are not overwritten.",
  ],
  args: helpOption,
  examples: [["npm install memhook && npx memhook init", "then: node memview --help"]],
  exits: EXITS,
  async run() {
    const written = writeLaunchers(process.cwd());
    writeAll(1, written.length > 0 ? `wrote ${written.join(", ")}\n` : "memview, memdb and memhook are here already\n");
    return 0;
  },
});
