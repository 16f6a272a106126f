// memhook lib: where the library is, for people who set LD_PRELOAD themselves.

import { libraryPath } from "../../runtime/launch.js";
import { defineCommand } from "../arguments.js";
import { writeAll } from "../output.js";
import { EXITS, helpOption } from "../shared-options.js";

export const lib = defineCommand({
  meta: { name: "lib", description: "prints the path of the library for this machine and its libc" },
  usage: [""],
  args: helpOption,
  examples: [
    ["LD_PRELOAD=$(memhook lib) MEMHOOK_FILE=app.mem ./app", "records into app.mem; memhook --help lists the settings"],
  ],
  exits: EXITS,
  async run() {
    writeAll(1, `${libraryPath()}\n`);
    return 0;
  },
});
