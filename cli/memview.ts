// memview: the viewer's commands.

import type { Command } from "./arguments.js";
import { view } from "./commands/view.js";

export { main } from "./main.js";

export const command: Command = {
  ...view,
  subCommands: {
    verdict: async () => (await import("./commands/verdict.js")).verdict,
    info: async () => (await import("./commands/info.js")).info,
    list: async () => (await import("./commands/list.js")).list,
    snapshot: async () => (await import("./commands/snapshot.js")).snapshot,
    export: async () => (await import("./commands/export.js")).exportCommand,
    lost: async () => (await import("./commands/lost.js")).lost,
    growth: async () => (await import("./commands/growth.js")).growth,
    diff: async () => (await import("./commands/diff.js")).diff,
    top: async () => (await import("./commands/top.js")).top,
    watch: async () => (await import("./commands/watch.js")).watch,
  },
};
