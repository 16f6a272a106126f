// memdb: the collector's commands.

import type { Command } from "./arguments.js";
import { collect } from "./commands/collect.js";

export { main } from "./main.js";

export const command: Command = {
  ...collect,
  subCommands: {
    dump: async () => (await import("./commands/dump.js")).dump,
    status: async () => (await import("./commands/status.js")).status,
  },
};
