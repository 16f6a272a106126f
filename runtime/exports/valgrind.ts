// Calls in the notation of valgrind's tools, for the formats of massif and DHAT.

import { basename } from "node:path";
import type { ProfileFrame } from "./profile.js";

/** "0x4011AB: open_session (sessions.c:46)"; of what stands for missing frames, the name alone. */
export function callText(name: string, frame: ProfileFrame | undefined): string {
  if (frame === undefined) return name;
  const { file, line, module, address } = frame;
  let place = "";
  if (file !== "") place = ` (${basename(file)}${line === 0 ? "" : `:${line}`})`;
  else if (module !== null) place = ` (in ${module.path})`;
  return `0x${address.toString(16).toUpperCase()}: ${name}${place}`;
}
