// Places that grow in step under one caller are one finding. For example, a leaked session comes with the peer, the
// name and the four attributes that were allocated for it.
//
//   open_session svc.cpp:35   1216 blocks  ┐
//   open_session svc.cpp:31    304 blocks  ├─ open_session svc.cpp:35, and 2 more in step
//   open_session svc.cpp:32    304 blocks  ┘
//
// In step means born in the same parts of the process's life, in numbers of which one is a multiple of the other.

import type { Frame } from "../host/types.js";
import type { Finding } from "./finding.js";
import { addBirths } from "./growth.js";

/** With fewer blocks than this, equal numbers are chance. */
const LEAST = 8;
/** The numbers of blocks in step may differ by this share, because allocation is still going on. */
const OFF = 0.02;
/** The largest multiple. */
const TIMES = 16;
/** How far two curves of births may be apart, as a share of all. */
const APART = 0.05;

/** Joins what belongs together, each into the finding that holds most. Their callers are known. */
export function joinInStep(findings: readonly Finding[]): Finding[] {
  const joined: Finding[] = [];
  const largest = [...findings].sort((a, b) => b.bytes - a.bytes || a.stackId - b.stackId);
  const taken = new Map<Finding, Finding>();
  for (const finding of largest) {
    const into = joined.find((other) => inStep(other.inStep?.[0] ?? other, finding));
    if (into === undefined) {
      const own = { ...finding };
      joined.push(own);
      taken.set(finding, own);
      continue;
    }
    Object.assign(into, {
      inStep: [...(into.inStep ?? [{ ...into }]), finding],
      bytes: into.bytes + finding.bytes,
      count: into.count + finding.count,
      births: addBirths(into.births, finding.births),
      rate: into.rate === null ? null : into.rate + (finding.rate ?? 0),
      stacks: into.stacks + finding.stacks,
    });
  }
  return findings.flatMap((finding) => taken.get(finding) ?? []);
}

/** The function that all of a finding's places have in common; null: there is only one place. */
export function commonFunction({ inStep: parts }: Finding): Frame | null {
  if (parts === undefined) return null;
  return (
    chain(parts[0]!).find((frame) => parts.every((part) => chain(part).some((other) => same(frame, other)))) ?? null
  );
}

function inStep(a: Finding, b: Finding): boolean {
  if (!a.own || !b.own || a.kind !== b.kind || a.margin !== undefined) return false;
  const [few, many] = a.count < b.count ? [a.count, b.count] : [b.count, a.count];
  const times = Math.round(many / few);
  if (few < LEAST || times > TIMES || Math.abs(many / few - times) > OFF * times) return false;
  let [bornA, bornB] = [0, 0];
  for (const [i, count] of a.births.counts.entries()) {
    bornA += count / a.count;
    bornB += b.births.counts[i]! / b.count;
    if (Math.abs(bornA - bornB) > APART) return false;
  }
  return chain(a).some((frame) => !isMain(frame, a, b) && chain(b).some((other) => same(frame, other)));
}

/** Its place, and that place's caller. */
function chain({ frame, callers }: Finding): Frame[] {
  return frame === null ? [] : [frame, ...callers];
}

function same(a: Frame, b: Frame): boolean {
  return a.function !== null && a.function === b.function && a.module === b.module;
}

/** All that a program does is under main: it counts where both places are in it. */
function isMain(frame: Frame, a: Finding, b: Finding): boolean {
  if (!/(^|::)main$/.test(frame.function ?? "")) return false;
  return a.frame!.function !== frame.function || b.frame!.function !== frame.function;
}
