// What every text report says at the end of a stack that lacks its outer frames: the reason, and what helps.

import { printable } from "../../runtime/host/printable.js";
import type { Cut } from "../../runtime/host/types.js";
import { cut as fit } from "./columns.js";
import { PLAIN, type Style } from "./style.js";

/** null of a whole stack. `module`: file name of the one that the last frame is in, "" if it is in none. */
export function cutText({ cut, lost }: Cut, module: string, style: Style = PLAIN, width = Infinity): string | null {
  if (!cut) return null;
  if (!lost) return "… outer frames cut (MEMHOOK_DEPTH)";
  const text =
    module === ""
      ? "… callers unknown: generated code (MEMHOOK_UNWIND=fp may find them)"
      : `… callers unknown: ${printable(module)} lacks -fasynchronous-unwind-tables`;
  return style.short ? fit(text, width) : text;
}
