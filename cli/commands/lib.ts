// memhook lib: where the library is, for people who set LD_PRELOAD themselves.

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
    "The library is there for each processor and C library, and PROGRAM's own file tells which one it needs; of " +
      "a script its interpreter. Where the path has a space or a colon, which LD_PRELOAD cannot hold, it is that " +
      "of a link in the folder for temporary files.",
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
