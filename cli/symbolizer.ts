// The symbolizer for one store.

import type { Store } from "../runtime/store.js";
import { Symbolizer } from "../runtime/symbolize.js";

export function symbolizerOf({ process: { pid, state } }: Store): Symbolizer {
  return new Symbolizer({ pid: state === "running" ? pid : undefined });
}
