// What is tried with one toolchain: each edit must be green, each plant red and
// named, whatever else was edited with it.

import { join } from "node:path";
import { EDITS, type Edit } from "./edits.js";
import { judge, snapshotOf, type Verdict } from "./judge.js";
import { PLANTED, PLANTS, type Plant } from "./plants.js";
import { type Project, sameProject } from "./project.js";
import type { Toolchain, Workshop } from "./toolchains.js";

export interface Trial {
  kind: "edit" | "plant";
  name: string;
  /** What is wrong, a line each. */
  run(): string[];
}

/** Edits of the sources that go together: what a plant is tried with, and all of them at once. */
const SOURCE_EDITS = EDITS.filter(({ together }) => together);

export function trialsOf(
  toolchain: Toolchain,
  [mode, flags]: Toolchain["modes"][number],
  workshop: Workshop,
  what: RegExp,
): Trial[] {
  const base: Project = { ...toolchain.project(), flags };
  const hasLines = !flags.some((flag) => /^-g0$|debuginfo=0$/.test(flag));
  const baseline = join(workshop.folder, `${mode}.snap`);
  let written = false;
  const verdictOn = (project: Project, name: string): Verdict => {
    if (!written) snapshotOf(toolchain.build(base, workshop), baseline);
    written = true;
    return judge(toolchain.build(project, workshop), baseline, join(workshop.folder, `${mode} ${name}.snap`));
  };
  const everything: Edit = {
    name: "all edits of the sources at once",
    apply: (project) => SOURCE_EDITS.reduce((edited, edit) => edit.apply(edited, toolchain) ?? edited, project),
  };
  const edits = [everything, ...EDITS].flatMap((edit): Trial[] => {
    const edited = edit.isFor?.(base) === false ? undefined : edit.apply(base, toolchain);
    if (edited === undefined || sameProject(edited, base) || !what.test(edit.name)) return [];
    return [{ kind: "edit", name: edit.name, run: () => verdictOn(edited, edit.name).changed.map(told) }];
  });
  const isOurs = (plant: Plant) => plant.language === toolchain.language && !sameProject(plant.apply(base), base);
  const ours = PLANTS.filter(isOurs);
  const plants = ours.flatMap((plant, index): Trial[] => {
    const planted = plant.apply(base);
    if (!what.test(plant.name)) return [];
    const edit = SOURCE_EDITS[index % SOURCE_EDITS.length]!;
    const edited = edit.apply(planted, toolchain) ?? planted;
    return [
      { kind: "plant", name: plant.name, run: () => unnamed([plant], edited, verdictOn(edited, plant.name), hasLines) },
    ];
  });
  const all = ours.reduce((project, plant) => plant.apply(project), base);
  const together: Trial = {
    kind: "plant",
    name: "all plants at once",
    run: () => unnamed(ours, all, verdictOn(all, "all plants"), hasLines),
  };
  return [...edits, ...plants, ...(what.test(together.name) ? [together] : [])];
}

const told = ({ status, frames }: Verdict["changed"][number]) => `${status} ${frames.join(" < ")}`;

/** The lines that are planted, as "file:line". */
function plantedLines(project: Project): string[] {
  return [...project.files].flatMap(([file, text]) =>
    text.split("\n").flatMap((line, index) => (line.includes(PLANTED) ? [`${file}:${index + 1}`] : [])),
  );
}

/** Which planted leaks are not told, and what is told besides. Without lines what was inlined has no name either. */
function unnamed(plants: readonly Plant[], project: Project, { code, changed }: Verdict, hasLines: boolean): string[] {
  const red = code === 1 && changed.some(({ status }) => /new|grown/.test(status)) ? [] : [`exit code ${code}`];
  if (!hasLines) return red;
  const lines = plantedLines(project);
  const names = (place: string) => (frame: string) => frame.endsWith(` ${place}`);
  const missing = lines.filter((place) => !changed.some(({ frames, or }) => [...frames, ...or].some(names(place))));
  const besides = changed.filter(
    ({ status, frames, or }) =>
      !/new|grown/.test(status) || !lines.some((place) => [...frames, ...or].some(names(place))),
  );
  const misnamed = plants.filter(
    (plant) => !changed.some(({ frames }) => frames.some((frame) => frame.includes(plant.function))),
  );
  return [
    ...red,
    ...(lines.length >= plants.length ? [] : ["a plant found no place"]),
    ...missing.map((place) => `not named: ${place}`),
    ...misnamed.map((plant) => `no function ${plant.function}`),
    ...besides.map((change) => `besides: ${told(change)}`),
  ];
}
