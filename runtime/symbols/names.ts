// The symbolizer for one store. The code that reads ELF and DWARF is loaded when the first name is requested: sums need
// no names, so a viewer that shows only numbers answers sooner.

import type { Store } from "../stores/store.js";
import type { KeptFiles } from "./debugfiles.js";
import type { Names, Symbolizer } from "./symbolize.js";

/** `close` closes the files it has open. */
export function symbolizerOf({ process: { pid, state } }: Store, kept?: KeptFiles): Names & { close(): void } {
  let loaded: Symbolizer | undefined;
  return {
    get notes() {
      return loaded?.notes ?? [];
    },
    buildFolder: (file) => loaded?.buildFolder(file),
    async symbolize(requests) {
      const { Symbolizer } = await import("./symbolize.js");
      loaded ??= new Symbolizer({ pid: state === "running" ? pid : undefined, kept });
      return loaded.symbolize(requests);
    },
    close: () => loaded?.close(),
  };
}
