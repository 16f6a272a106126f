// Tests say the same on every machine: what memhook reads from its environment is unset before any of them runs. A CI
// sets CI=true, and a developer has DEBUGINFOD_URLS. What a test wants set, it sets itself.

import process from "node:process";
import { CHECKING, SETTINGS, VIEWING } from "../../cli/environment.js";

for (const { names } of [...SETTINGS, ...VIEWING, ...CHECKING]) for (const name of names) delete process.env[name];

// Where its standard input is a socket, as a runtime's pipe is, bash takes itself for one that was called over the
// network and reads ~/.bashrc, unless another shell has called it.
process.env.SHLVL = "2";
