// A part of bench/gate: a generated project, with all edits that leak nothing at once, and with all planted leaks at
// once; and one edit or plant alone, another one every day. The whole is run by hand: bench/gate/README.md.

import assert from "node:assert/strict";
import { test } from "node:test";
import { aToolchain, Workshop } from "../../bench/gate/toolchains.js";
import { trialsOf } from "../../bench/gate/trials.js";
import { onceIsEnough, temporaryFolder } from "../support/run.js";

const today = Math.floor(Date.now() / 86_400_000);

for (const language of ["native", "rust"] as const) {
  const toolchain = onceIsEnough ? undefined : aToolchain(language);
  const missing = `no compiler of ${language === "native" ? "C and C++" : "Rust"}`;
  if (toolchain === undefined) {
    test(`gate: ${language}`, { skip: onceIsEnough || missing }, () => {});
    continue;
  }
  const mode = toolchain.modes[today % toolchain.modes.length]!;
  const trials = trialsOf(toolchain, mode, new Workshop(temporaryFolder()), /./);
  const [together, single] = [true, false].map((so) => trials.filter(({ name }) => name.endsWith("at once") === so));
  const alone = (today % 2 === 0) === (language === "native") ? [single![today % single!.length]!] : [];
  for (const trial of [...together!, ...alone]) {
    test(`gate: ${toolchain.name}, ${mode[0]}, ${trial.kind}: ${trial.name}`, () => assert.deepEqual(trial.run(), []));
  }
}
