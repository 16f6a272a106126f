// The formats that a profile can be exported to, by name.

import type { Cost } from "./cost.js";
import { dhat } from "./dhat.js";
import { folded } from "./folded.js";
import { heaptrack } from "./heaptrack.js";
import { massif } from "./massif.js";
import { pprof } from "./pprof.js";
import type { Profile } from "./profile.js";
import { speedscope } from "./speedscope.js";

export interface ExportOptions {
  /** What the profile is of, for formats that say it. */
  title: string;
  /** For formats with one number a stack. */
  cost: Cost;
}

export interface ExportFormat {
  /** What opens it. */
  readers: string;
  write(profile: Profile, options: ExportOptions): Iterable<string | Uint8Array>;
}

export const FORMATS = {
  pprof: { readers: "go tool pprof, Parca, Pyroscope, speedscope", write: (profile) => [pprof(profile)] },
  speedscope: { readers: "speedscope", write: (profile, { title }) => speedscope(profile, title) },
  folded: { readers: "flamegraph.pl, inferno", write: (profile, { cost }) => folded(profile, cost) },
  heaptrack: { readers: "heaptrack_print, heaptrack_gui", write: (profile, { title }) => heaptrack(profile, title) },
  massif: { readers: "ms_print, massif-visualizer", write: (profile, { title }) => massif(profile, title) },
  dhat: {
    readers: "valgrind's dh_view.html, the Firefox Profiler",
    write: (profile, { title }) => dhat(profile, title),
  },
} as const satisfies Record<string, ExportFormat>;

export type FormatName = keyof typeof FORMATS;
export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[];
