// The verdict on a store: which code requested its live memory, own code first, and how each place came to hold it.
//
//   store.query(births) ──▶ stacks ──▶ places.ts ──▶ sums by place ──▶ growth.ts ──▶ findings, the worst first
//
// Every stack has a place, but only what is shown gets all its names.

import { isoTime } from "../host/time.js";
import type { Cut, Frame, Matched, ProcessInfo, Query, Suppressed, Totals } from "../host/types.js";
import { CONFIDENCE } from "../stores/sample.js";
import type { PlaceRow } from "../stores/stackwalks.js";
import type { Store, StoreInfo } from "../stores/store.js";
import type { Names } from "../symbols/symbolize.js";
import type { Finding } from "./finding.js";
import { isGrowing, kindOf, type Life, rateOf } from "./growth.js";
import { joinInStep } from "./instep.js";
import { type Place, Places } from "./places.js";
import { type ReportOptions, StackResolver, select } from "./report.js";

export interface Verdict {
  process: ProcessInfo;
  totals: Totals;
  end: StoreInfo["end"];
  /** Of the life until now, or until the process's end: nanoseconds, and whether now is known. */
  life: { span: number; known: boolean };
  /** What is told was live when the process began to exit, and so much of it freed while it did. */
  freedInExit?: { count: number; bytes: number };
  /** What the places hold together. */
  matched: Matched;
  sample?: { bytes: number; confidence: number };
  suppressed?: Suppressed;
  bypassed: boolean;
  switchedOff: boolean;
  /** How long ago, or before the end, the process held most: nanoseconds. */
  peakAgo: number;
  /** What is told was live then. */
  atPeak: boolean;
  findings: Finding[];
}

export type VerdictOptions = Pick<ReportOptions, "suppressions" | "knownSuppressed"> & {
  /** Frames that are not the user's own: by function, file or module. */
  skip?: RegExp | undefined;
  /** What the places held when the process held most. */
  atPeak?: boolean;
};

/** A verdict, and the source of its findings' frames. */
export interface Judged {
  verdict: Verdict;
  /** Loads all frames of these findings, and their callers. */
  detail(findings: readonly Finding[]): Promise<void>;
  /** The stack of a finding that has them. */
  stackOf(finding: Finding): { frames: Frame[] } & Cut;
  isOwn(frame: Frame): boolean;
  /** A relative time as ISO 8601. */
  timeOf(relative: bigint): string;
}

/** @throws StoreError when the store cannot be read. */
export async function verdictOn(store: Store, symbolizer: Names, options: VerdictOptions): Promise<Judged> {
  const resolver = new StackResolver(store, symbolizer);
  const { suppressions = [], knownSuppressed = false, skip, atPeak = false } = options;
  const life = lifeOf(store);
  const places = new Places(resolver, skip);
  const asked: Query = {
    aggregate: true,
    ...(atPeak ? { sort: "peak", freedStacks: true } : { sort: "size" }),
    births: BigInt(Math.round(life.span)),
    ...(suppressions.length > 0 || knownSuppressed
      ? { selectStacks: (ids: Uint32Array) => select(ids, store, resolver, { stacks: true, ...options }) }
      : {}),
  };
  const { places: rows, matched: live, suppressed } = await store.query(asked, (walks) => places.gather(walks));
  const totals = store.totals();
  const info = store.info();
  const freed = store.freedInExit();
  const known = { span: life.span, timeline: info.timeline, liveBytes: totals.liveBytes, peakBytes: totals.peakBytes };
  const apart = rows.map((row) =>
    findingOf(row, places.all[row.place]!, atPeak ? "peak" : kindOf(row.births, known), known),
  );
  const matched = atPeak ? { count: 0, bytes: apart.reduce((sum, { bytes }) => sum + bytes, 0) } : live;
  apart.sort(byWeight);
  const detail = async (those: readonly Finding[]) => {
    await resolver.load(new Set(those.map(({ stackId }) => stackId)), true);
    for (const finding of those)
      finding.callers = places.callers(resolver.stack(finding.stackId).frames, finding.frame);
  };
  const foremost = apart.slice(0, FOREMOST).filter(({ own }) => own);
  await detail(foremost);
  const findings = atPeak ? apart : [...joinInStep(foremost), ...apart.slice(foremost.length)];
  findings.sort(byWeight);
  const verdict: Verdict = {
    process: store.process,
    totals,
    end: info.end,
    life,
    ...(freed && { freedInExit: freed }),
    matched,
    atPeak,
    ...(store.sampleBytes === 0 ? {} : { sample: { bytes: store.sampleBytes, confidence: CONFIDENCE } }),
    ...(suppressed && !atPeak ? { suppressed } : {}),
    bypassed: store.bypassed,
    switchedOff: info.switchedOff,
    peakAgo: agoOf(store, life.span, totals.peakTime),
    findings,
  };
  return {
    verdict,
    detail,
    stackOf: ({ stackId }) => resolver.stack(stackId),
    isOwn: (frame) => places.isOwn(frame),
    timeOf: (relative) => isoTime(store.wallTime(relative)),
  };
}

/** Findings among which some are looked for that belong together. */
const FOREMOST = 64;

/** How long the process lived: until its end, until now, or if that is not known, until it was last written. */
function lifeOf(store: Store): { span: number; known: boolean } {
  const { end } = store.info();
  if (end.kind !== "none") return { span: Number(end.time), known: true };
  if (store.process.state !== "running") return { span: Number(store.lastWritten()), known: true };
  const now = store.now();
  return { span: Number(now.time), known: now.known };
}

/** Nanoseconds from an ISO time to the end of a life. */
function agoOf(store: Store, span: number, iso: string): number {
  const end = Number(store.wallTime(BigInt(Math.round(span))) / 1_000_000n);
  return Math.max(0, end - Date.parse(iso)) * 1e6;
}

function findingOf(row: PlaceRow, { frame, own }: Place, kind: Finding["kind"], life: Life): Finding {
  const { births, bytes, margin, count, oldest, newest, stacks, stackId } = row;
  const rate = isGrowing(kind) ? rateOf(births, life) : null;
  const finding: Finding = {
    frame,
    own,
    kind,
    bytes,
    count,
    rate,
    births,
    oldest,
    newest,
    stacks,
    stackId,
    callers: [],
  };
  if (margin !== undefined) finding.margin = margin;
  return finding;
}

/** The order: own code first; then what grows; then what holds most. */
function byWeight(a: Finding, b: Finding): number {
  return (
    Number(b.own) - Number(a.own) ||
    Number(isGrowing(b.kind)) - Number(isGrowing(a.kind)) ||
    b.bytes - a.bytes ||
    b.count - a.count ||
    a.stackId - b.stackId
  );
}
