// memhook: runs a program under the library and says what it left live.

import { defineCommand, UsageError } from "./arguments.js";

export const command = defineCommand({
  meta: { name: "memhook", description: "finds heap leaks in programs while they run" },
  usage: [],
  subCommands: {
    run: async () => (await import("./commands/run.js")).run,
    lib: async () => (await import("./commands/lib.js")).lib,
  },
  args: { help: { type: "boolean", alias: "h", section: "Options", description: "This text." } },
  closing: `
Examples:
  memhook run ./app
      run it, then see what is still allocated at its end
  memhook run -f app.mem ./server
      the same, and look into it meanwhile: memview -ac app.mem
  LD_PRELOAD=$(memhook lib) MEMHOOK_FILE=app.mem ./server
      the same without memhook around it
`,
  async run() {
    throw new UsageError("what to do? memhook run PROGRAM, or memhook --help");
  },
});
