// Runs the programs of other projects' suites alone, under memhook, and under memhook with the witness behind it, and
// compares.
//
//   bench/peers/run [--only REGEX] [--library FILE]… [--limit MS=20000] FOLDER…
//
//   --only      only the sources and executables whose file names match
//   --library   another build of libmemhook.so; several are tried one after the other
//   --limit     a program that takes longer alone is left out
//
// A line for each program that differs, then a table. Exit code 1 when one differed. See README.md.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { build, library } from "../../test/support/programs.js";
import { type Comparison, compare, sizesIn } from "./compare.js";
import { difference, type Outcome, outcomeOf, type Program, runWatched, type Watched } from "./outcome.js";
import { programsOf } from "./programs.js";

interface Sums {
  programs: number;
  unbuilt: string[];
  /** Do not end by themselves. */
  endless: string[];
  same: number;
  /** Of which the blocks were compared, and how many of them had the same. */
  compared: number;
  blocksSame: number;
  /** As many blocks of the same sizes without the witness, where malloc is libc's for memhook. */
  sizesSame: number;
  blocks: Omit<Comparison, "faults">;
}

function readCommandLine() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        only: { type: "string", default: "" },
        library: { type: "string", multiple: true, default: [library] },
        limit: { type: "string", default: "20000" },
      },
    });
    if (!/^[1-9]\d{0,8}$/.test(values.limit)) throw new Error(`--limit is no whole number above 0: ${values.limit}`);
    const missing = [...values.library, ...positionals].find((path) => !existsSync(path));
    if (missing !== undefined) throw new Error(`${missing} does not exist`);
    if (positionals.length === 0) throw new Error("no folder is named");
    return {
      only: new RegExp(values.only),
      libraries: values.library.map((path) => resolve(path)),
      limit: Number(values.limit),
      folders: positionals,
    };
  } catch (error) {
    const [why] = (error as Error).message.split("\n");
    process.stderr.write(`bench/peers/run: ${why}; the first lines of its source tell its options\n`);
    process.exit(2);
  }
}

const { only, libraries, limit, folders } = readCommandLine();
const aside = mkdtempSync(join(tmpdir(), "memhook-peers-"));

/** The program under memhook, and how it differs from what it may be alone, if it does. */
async function watch(program: Program, alone: Outcome, preload: string[]) {
  const watched = await runWatched(program, preload, join(aside, "watched"), 3 * limit);
  if (!watched) return { watched, what: "does not end" };
  let what = difference(watched.outcome, alone);
  for (let tries = 0; what && tries < 4; tries++) {
    const again = await outcomeOf(program, {}, limit);
    if (again && !difference(watched.outcome, again)) what = undefined;
  }
  return { watched, what };
}

/** What is in the one list of numbers and not in the other. */
function firstOther(these: string, those: string): string {
  const [one, other] = [these.split(" "), those.split(" ")];
  const rest = [...other];
  const more = one.filter((size) => {
    const at = rest.indexOf(size);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  return `${more.length} more, ${rest.length} less: ${more.slice(0, 5).join(" ")} / ${rest.slice(0, 5).join(" ")}`;
}

async function runFolder(folder: string, witness: string): Promise<Sums> {
  const { programs, unbuilt } = programsOf(folder, only, aside);
  const blocks = { processes: 0, equal: 0, held: 0, dropped: 0 };
  const sums: Sums = { programs: 0, unbuilt, endless: [], same: 0, compared: 0, blocksSame: 0, sizesSame: 0, blocks };
  for (const program of programs) {
    const tell = (what: string) => process.stdout.write(`${join(folder, program.name)}: ${what}\n`);
    const alone = await outcomeOf(program, {}, limit);
    if (!alone) {
      sums.endless.push(program.name);
      continue;
    }
    sums.programs++;
    let same = true;
    for (const build of libraries) {
      const { what } = await watch(program, alone, [build]);
      if (what) tell(`under ${build}: ${what}`);
      same &&= !what;
    }
    const { watched, what } = await watch(program, alone, [libraries[0]!, witness]);
    if (what) tell(`with the witness: ${what}`);
    if (same && !what) sums.same++;
    if (watched) await judgeBlocks(program, watched, sums, tell);
  }
  return sums;
}

async function judgeBlocks(program: Program, watched: Watched, sums: Sums, tell: (what: string) => void) {
  const comparison = await compare(watched.log, watched.stores);
  if (!comparison) return tell("does more than the witness can write down");
  const { faults, ...counts } = comparison;
  sums.compared++;
  for (const key of Object.keys(counts) as (keyof typeof counts)[]) sums.blocks[key] += counts[key];
  for (const fault of faults.slice(0, 5)) tell(fault);
  if (faults.length > 5) tell(`and ${faults.length - 5} more`);
  if (faults.length === 0) sums.blocksSame++;
  const sizes = await sizesIn(watched.stores);
  let again: string | undefined;
  for (let tries = 0; tries < 3 && again !== sizes; tries++) {
    const rerun = await runWatched(program, [libraries[0]!], join(aside, "watched"), 3 * limit);
    again = rerun && (await sizesIn(rerun.stores));
  }
  if (again === sizes) sums.sizesSame++;
  else tell(`other sizes without the witness: ${firstOther(again ?? "", sizes)}`);
}

let failed = false;
try {
  const witness = build("../../bench/peers/witness.c", { shared: true });
  const lines = [];
  for (const folder of folders) {
    const { programs, unbuilt, endless, same, compared, blocksSame, sizesSame, blocks } = await runFolder(
      folder,
      witness,
    );
    failed ||= same < programs || blocksSame < compared;
    const { processes, equal, held, dropped } = blocks;
    lines.push([folder, programs, same, compared, blocksSame, sizesSame, processes, equal, held, dropped]);
    if (unbuilt.length) process.stdout.write(`${folder}: not compiled: ${unbuilt.join(" ")}\n`);
    if (endless.length) process.stdout.write(`${folder}: longer than ${limit} ms alone: ${endless.join(" ")}\n`);
  }
  process.stdout.write(
    "\n| folder | programs | the same | compared | blocks | sizes | processes | equal | held | dropped " +
      `|\n${"|---".repeat(10)}|\n`,
  );
  for (const line of lines) process.stdout.write(`| ${line.join(" | ")} |\n`);
} finally {
  rmSync(aside, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
