// All of memhook's programs in one list, for everything that is generated from their definitions: the manual, README's
// tables and docs/options.md (tools/docs.mjs). The launchers load one program each.

import type { Command } from "./arguments.js";
import { command as memdb } from "./memdb.js";
import { command as memhook } from "./memhook.js";
import { command as memview } from "./memview.js";

export const PROGRAMS: readonly Command[] = [memhook, memview, memdb];

/** A command as it is called: "memview info". */
export interface Called {
  path: string;
  command: Command;
}

/** A program and its subcommands. */
export async function callable(program: Command): Promise<Called[]> {
  const found: Called[] = [{ path: program.meta.name, command: program }];
  for (const [name, load] of Object.entries(program.subCommands ?? {}))
    found.push({ path: `${program.meta.name} ${name}`, command: await load() });
  return found;
}
