// What `memview list` prints: a line for each process of a run.
//
//   pid=4712, parent=4711, dead, size=0, times=0, /tmp/app.4712.mem: sh -c 'true'
//   pid=4711, parent=4000, running, size=4096, times=2, /tmp/app.mem: ./app -v
//
// On a terminal sizes are rounded, and lines cut to its width.

import { printable } from "../../runtime/host/printable.js";
import type { ProcessInfo } from "../../runtime/host/types.js";
import { quoted } from "../quoted.js";
import { cut } from "./columns.js";
import { humanSize } from "./sizes.js";
import type { Style } from "./style.js";
import { droppedLine } from "./text.js";

export interface Listed extends ProcessInfo {
  path: string;
  parentPid: number;
  liveCount: number;
  liveBytes: number;
  dropped: number;
}

export function* listText(listed: readonly Listed[], style: Style): Generator<string> {
  for (const { pid, parentPid, state, liveBytes, liveCount, path, exe, command } of listed) {
    const called = command.length > 0 ? command.map(quoted).join(" ") : exe;
    const size = style.human ? humanSize(liveBytes) : liveBytes;
    const line =
      `pid=${pid}, parent=${parentPid}, ${state}, size=${size}, times=${liveCount}, ` +
      `${printable(`${path}: ${called}`)}`;
    yield `${style.short ? cut(line, style.width) : line}\n`;
  }
  const missing = droppedLine(listed.reduce((sum, { dropped }) => sum + dropped, 0));
  if (missing !== null) yield `${missing}\n`;
}

export function* listJson(listed: readonly Listed[]): Generator<string> {
  const stores = listed.map((each) => {
    const { path, pid, parentPid, exe, command, startTime, state, liveCount, liveBytes, dropped } = each;
    return { path, pid, parentPid, exe, command, startTime, state, liveCount, liveBytes, dropped };
  });
  yield `${JSON.stringify({ version: 1, stores }, null, 2)}\n`;
}
