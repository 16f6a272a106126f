// memdb: the commands of the collector put together.

import type { Command } from "./arguments.js";
import { collect } from "./commands/collect.js";
import { dump } from "./commands/dump.js";
import { status } from "./commands/status.js";

export const command: Command = { ...collect, subCommands: { dump, status } };
