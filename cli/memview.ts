// memview: the commands of the viewer put together.

import type { Command } from "./arguments.js";
import { info } from "./commands/info.js";
import { list } from "./commands/list.js";
import { top } from "./commands/top.js";
import { view } from "./commands/view.js";
import { watch } from "./commands/watch.js";

export const command: Command = { ...view, subCommands: { info, list, top, watch } };
