// memhook: runs a program under the library and reports what it left live.

import { defineCommand, UsageError } from "./arguments.js";
import { SETTINGS, variableEntries } from "./environment.js";
import { EXITS, helpOption } from "./shared-options.js";

export { main } from "./main.js";

export const command = defineCommand({
  meta: { name: "memhook", description: "finds heap leaks in programs while they run" },
  usage: [],
  subCommands: {
    run: async () => (await import("./commands/run.js")).run,
    lib: async () => (await import("./commands/lib.js")).lib,
    init: async () => (await import("./commands/init.js")).init,
  },
  args: helpOption,
  examples: [
    ["memhook run ./app", "run it, and then see what is still allocated"],
    ["memhook run -f app.mem ./server", "the same, and look at it meanwhile: memview -ac app.mem"],
    ["LD_PRELOAD=$(memhook lib) MEMHOOK_FILE=app.mem ./server", "record without memhook run"],
  ],
  notes: { "The library's settings: environment variables of the program": [variableEntries(SETTINGS)] },
  exits: EXITS,
  async run() {
    throw new UsageError("what to do? memhook run PROGRAM, or memhook --help");
  },
});
