// memhook lib: the path of the library, for people who set LD_PRELOAD themselves.

import { ownAllocator } from "../../runtime/programs/allocator.js";
import { preloadAlways } from "../../runtime/programs/preload.js";
import { libraryFor } from "../../runtime/programs/target.js";
import { defineCommand } from "../arguments.js";
import { messages } from "../messages.js";
import { writeAll } from "../output.js";
import { ownAllocatorLine } from "../reports/text.js";
import { EXITS, helpOption } from "../shared-options.js";

export const lib = defineCommand({
  meta: { name: "lib", description: "prints the path of the library for a program, or for this machine" },
  usage: ["[PROGRAM]"],
  about: [
    "There is a library for each processor and C library. PROGRAM's own file says which one it needs; for a script, " +
      "its interpreter's does. LD_PRELOAD cannot hold a space or a colon, so if the path has one, a link in the " +
      "folder for temporary files is printed.",
  ],
  args: {
    ...helpOption,
    program: { type: "positional", required: false, description: "The program, as a shell would find it" },
  },
  examples: [
    ["LD_PRELOAD=$(memhook lib) MEMHOOK_FILE=app.mem ./app", "records into app.mem; memhook --help lists the settings"],
    ["memhook lib ./app", "the library for ./app, which may be for musl or aarch64"],
  ],
  exits: EXITS,
  async run({ args }) {
    writeAll(1, `${preloadAlways(libraryFor(args.program))}\n`);
    const own = args.program === undefined ? null : ownAllocator(args.program);
    if (own !== null) messages("memhook").warn(ownAllocatorLine(args.program!, own.name));
    return 0;
  },
});
