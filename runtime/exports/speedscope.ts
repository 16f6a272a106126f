// speedscope's own format: JSON with one profile for each cost, https://www.speedscope.app/file-format-schema.json
//
// Samples are in the order of the tree, so that everything under one function is adjacent in the view by time, too.

import { COST_WORDS, type Cost, costOf, costsOf } from "./cost.js";
import { Known } from "./known.js";
import { outsideIn, type Profile, type ProfileFrame, type ProfileStack } from "./profile.js";

interface Sample {
  frames: number[];
  stack: ProfileStack;
}

export function* speedscope(profile: Profile, title: string): Generator<string> {
  const shared = new Known<string, number>();
  const samples = profile.stacks.map((stack) => ({ frames: framesOf(profile, stack, shared), stack }));
  samples.sort((a, b) => byFrames(a.frames, b.frames));
  const profiles = costsOf(profile.stacks).map((cost) => profileOf(samples, cost));
  const file = {
    $schema: "https://www.speedscope.app/file-format-schema.json",
    exporter: "memhook",
    name: title,
    activeProfileIndex: 0,
    shared: { frames: [...shared.keys()].map((text) => JSON.parse(text)) },
    profiles,
  };
  yield `${JSON.stringify(file)}\n`;
}

/** Numbers of the frames of a stack, outermost first. */
function framesOf(profile: Profile, stack: ProfileStack, shared: Known<string, number>): number[] {
  const places = [...stack.frames].reverse();
  const names = outsideIn(profile, stack);
  const missing = names.length - places.length;
  return names.map((name, i) => {
    const text = JSON.stringify({ name, ...placeOf(places[i - missing]) });
    return shared.of(text, () => shared.size);
  });
}

function placeOf(frame: ProfileFrame | undefined): { file?: string; line?: number } {
  if (frame === undefined || frame.file === "") return {};
  return frame.line === 0 ? { file: frame.file } : { file: frame.file, line: frame.line };
}

function byFrames(a: readonly number[], b: readonly number[]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

function profileOf(samples: readonly Sample[], cost: Cost) {
  const { name, unit } = COST_WORDS[cost];
  const some = samples.filter(({ stack }) => costOf(stack, cost) > 0);
  const weights = some.map(({ stack }) => costOf(stack, cost));
  return {
    type: "sampled",
    name,
    unit: unit === "bytes" ? "bytes" : "none",
    startValue: 0,
    endValue: weights.reduce((sum, weight) => sum + weight, 0),
    samples: some.map(({ frames }) => frames),
    weights,
  };
}
