// What `memview info` prints: the process, its totals, its store, and how its memory grew.

import { printable } from "../../runtime/host/printable.js";
import { isoTime } from "../../runtime/host/time.js";
import type { Store } from "../../runtime/stores/store.js";
import { quoted } from "../quoted.js";
import { sizeName } from "./sizes.js";
import { allocationCount, BYPASSED, droppedLine, localTimes, SWITCHED_OFF } from "./text.js";

/** Points of the timeline that the text shows; JSON has all. */
const POINTS_SHOWN = 12;

export function* infoText(store: Store): Generator<string> {
  const totals = store.totals();
  const info = store.info();
  const its = store.process;
  const local = localTimes();
  const row = (name: string, text: string) => `${`${name}:`.padEnd(11)}${printable(text)}\n`;
  const end = local(isoTime(store.wallTime(info.end.time)));

  yield row("process", `${its.pid} ${its.exe}`);
  yield row("command", its.command.map(quoted).join(" "));
  yield row("started", local(its.startTime));
  if (its.state === "running") yield row("state", "running");
  else if (info.end.kind === "none")
    yield row("state", "dead: it ended without a word, killed or by a system call of its own");
  else if (info.end.kind === "exec") yield row("state", `became another program (exec) at ${end}`);
  else yield row("state", `exited with code ${info.end.status} at ${end}`);
  if (info.sampleBytes > 0) {
    yield row("sample", `one in ${sizeName(info.sampleBytes)}; what is counted below are estimates from it`);
  }
  yield row("live", `${bytes(totals.liveBytes)} in ${allocationCount(totals.liveCount)}`);
  yield row("allocated", `${bytes(totals.allocatedBytes)} in ${allocationCount(totals.allocatedCount)}`);
  const temporary = store.temporaryCount();
  const share = totals.allocatedCount === 0 ? 0 : (100 * temporary) / totals.allocatedCount;
  yield row("temporary", `${allocationCount(temporary)} (${share.toFixed(1)} %), freed before their thread's next one`);
  yield row("peak", `${bytes(totals.peakBytes)} at ${local(totals.peakTime)}`);
  yield row("store", `${store.path}, by ${info.writer === "memdb" ? "memdb" : "the library"}, format ${version(info)}`);
  yield row("taken", `${bytes(info.committedBytes)} of at most ${bytes(info.sizeLimit)}`);
  if (info.reservedBytes !== null)
    yield row("reserved", `${bytes(info.reservedBytes)} of addresses, no memory (PROT_NONE)`);
  yield row("stacks", `${info.counts.stacks - 1} of at most ${info.depthLimit} frames, unwinder ${info.unwinder}`);

  const { timeline } = info;
  if (timeline.length > 0) {
    yield "live over time:\n";
    const step = Math.max(1, (timeline.length - 1) / (POINTS_SHOWN - 1));
    for (let at = 0; Math.round(at) < timeline.length; at += step) {
      const { time, liveBytes, liveCount } = timeline[Math.round(at)]!;
      yield `  ${local(isoTime(store.wallTime(time)))}  ${bytes(liveBytes)} in ${allocationCount(liveCount)}\n`;
    }
  }
  if (info.switchedOff) yield `${SWITCHED_OFF}\n`;
  if (info.bypassed) yield `${BYPASSED}\n`;
  const missing = droppedLine(totals.dropped);
  if (missing !== null) yield `${missing}\n`;
}

export function* infoJson(store: Store): Generator<string> {
  const totals = store.totals();
  const info = store.info();
  const time = (relative: bigint) => isoTime(store.wallTime(relative));
  const { pid, exe, command, startTime, state } = store.process;
  const report = {
    version: 1,
    process: { pid, exe, command, startTime, state },
    totals: { ...totals, temporaryCount: store.temporaryCount() },
    end: info.end.kind === "none" ? null : { kind: info.end.kind, status: info.end.status, time: time(info.end.time) },
    store: {
      path: store.path,
      format: version(info),
      writer: info.writer,
      sizeLimit: info.sizeLimit,
      taken: info.committedBytes,
      stacks: info.counts.stacks - 1,
      frames: info.counts.frames - 1,
      modules: info.counts.modules - 1,
      depthLimit: info.depthLimit,
      unwinder: info.unwinder,
      sampleBytes: info.sampleBytes,
      droppedBytes: info.droppedBytes,
      ...(info.reservedBytes === null ? {} : { reservedBytes: info.reservedBytes }),
      switchedOff: info.switchedOff,
      ...(info.bypassed ? { bypassed: true } : {}),
    },
    timeline: info.timeline.map((entry) => ({ ...entry, time: time(entry.time) })),
  };
  yield `${JSON.stringify(report, null, 2)}\n`;
}

function version({ version: { major, minor } }: { version: { major: number; minor: number } }): string {
  return `${major}.${minor}`;
}

/** "4341 bytes", "5242880 bytes (5.0 MiB)". */
function bytes(count: number): string {
  const power = Math.min(4, Math.floor(Math.log2(Math.max(count, 1)) / 10));
  return `${count} bytes${power < 1 ? "" : ` (${(count / 1024 ** power).toFixed(1)} ${"KMGT"[power - 1]}iB)`}`;
}
