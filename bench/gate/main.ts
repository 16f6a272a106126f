// Does the gate stay green under edits that leak nothing, and turn red for every leak that is planted? See README.md.
//
//   bench/gate/run [--only REGEX] [--mode REGEX] [--what REGEX] [--keep FOLDER]
//
//   --only, --mode   the toolchains and the ways to build before the edit
//   --what           the edits and plants
//   --keep           a folder for what is built, which a second run need not build again
//
// A line for each edit and plant, then a table. Exit code 1 when one was not told as it should be.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { toolchains, Workshop } from "./toolchains.js";
import { trialsOf } from "./trials.js";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    mode: { type: "string", default: "" },
    what: { type: "string", default: "" },
    keep: { type: "string" },
  },
});
const [only, wantedMode, what] = [values.only, values.mode, values.what].map((text) => new RegExp(text)) as [
  RegExp,
  RegExp,
  RegExp,
];
const folder = values.keep ?? mkdtempSync(join(tmpdir(), "memhook-gate-"));
const rows: (string | number)[][] = [];
let failed = 0;
try {
  for (const toolchain of toolchains().filter(({ name }) => only.test(name))) {
    const workshop = new Workshop(join(folder, toolchain.name.replaceAll(" ", "-")));
    for (const mode of toolchain.modes.filter(([name]) => wantedMode.test(name))) {
      const sums = { edits: 0, green: 0, plants: 0, named: 0 };
      for (const trial of trialsOf(toolchain, mode, workshop, what)) {
        let faults: string[];
        try {
          faults = trial.run();
        } catch (error) {
          faults = [(error as Error).message];
        }
        sums[trial.kind === "edit" ? "edits" : "plants"]++;
        if (faults.length === 0) sums[trial.kind === "edit" ? "green" : "named"]++;
        else failed++;
        const said = faults.length === 0 ? "right" : ["WRONG", ...faults].join("\n    ");
        process.stdout.write(`${toolchain.name} ${mode[0]}, ${trial.kind}: ${trial.name}: ${said}\n`);
      }
      rows.push([toolchain.name, mode[0], sums.edits, sums.green, sums.plants, sums.named]);
    }
  }
} finally {
  if (values.keep === undefined) rmSync(folder, { recursive: true, force: true });
}
const head = ["toolchain", "before the edit", "edits", "green", "plants", "red and named"];
const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`);
process.stdout.write(`\n${table.join("")}`);
process.exit(failed ? 1 : 0);
