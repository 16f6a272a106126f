// Are modules, build ids and names what independent readers say? See README.md.
//
//   bench/symbols/run [--libraries N]
//
// A line for each difference, then a table. Exit code 1 when there was one.

import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { which } from "../../test/support/compilers.js";
import { compareNames } from "../../test/support/nm.js";
import { root } from "../../test/support/run.js";
import { compareModules } from "./modules.js";
import { compareDemangled, compareFrames } from "./names.js";
import { output, WAYS } from "./outputs.js";

const { values } = parseArgs({ options: { libraries: { type: "string", default: "200" } } });
/** Libraries that are loaded into one process. */
const TOGETHER = 10;

const folder = mkdtempSync(join(tmpdir(), "memhook-symbols-"));
const rows: (string | number)[][] = [];
let failed = 0;

const NONE = { equal: 0, different: ["it has not run"] };

function tell(what: string, equal: number, different: readonly string[], note = ""): void {
  failed += different.length;
  for (const line of different.slice(0, 20)) process.stdout.write(`${line}\n`);
  rows.push([what, equal, different.length, note]);
}

/** The path that a command prints: what stands in the search path may only be a script that leads there. */
function printed(...command: string[]): string {
  return spawnSync(command[0]!, command.slice(1), { encoding: "utf8" }).stdout?.trim() ?? "";
}

/** Programs of toolchains and interpreters: what is here of them runs, if only to say its version. */
const PROGRAMS: readonly string[] = [
  ...["cc1", "cc1plus", "lto1"].map((name) => printed("gcc", `-print-prog-name=${name}`)),
  ...["as", "ld.bfd", "ld.gold", "ld.mold", "objdump", "readelf", "gdb", "gdc", "ldc2", "ocamlopt.opt", "perl"],
  ...["clang-14", "clang-16", "ld.lld-14", "ld.lld-19", "llvm-bolt-19"],
  ...["rustc", "cargo"].map((name) => printed("rustup", "which", name)),
  printed("python3", "-c", "import sys; print(sys.executable)"),
  process.execPath,
  ...["bun", "deno"].map((name) => join(root, "node_modules/.bin", name)),
];

function systemLibraries(): string[] {
  const listed = spawnSync("/sbin/ldconfig", ["-p"], { encoding: "utf8" }).stdout;
  const paths = [...listed.matchAll(/\(libc6,x86-64.*=> (\/.*)$/gm)].map(([, path]) => realpathSync(path!));
  return [...new Set(paths)].filter((path) => !/memhook|asan|tsan|lsan|ubsan|hwasan|faketime/.test(path));
}

try {
  const [loaded, last] = [join(folder, "loaded.so"), join(folder, "last.so")];
  for (const [path, ...flags] of [[loaded], [last, "-DLAST"]] as const) {
    const source = join(root, "bench/symbols/loaded.c");
    const built = spawnSync("cc", ["-O1", "-shared", "-fPIC", ...flags, source, "-o", path]);
    if (built.status !== 0) throw new Error(String(built.stderr));
  }
  const compare = (command: readonly string[], libraries: readonly string[] = []) =>
    compareModules(loaded, folder, command, [...libraries, last]);

  for (const way of WAYS) {
    const made = output(way, folder);
    if (typeof made === "string") {
      rows.push([way.name, "", "", made]);
      continue;
    }
    const modules = (await compare([made.program])) ?? NONE;
    const frames = [await compareFrames(made.program), await compareFrames(made.library)];
    const equal = modules.equal + frames.reduce((sum, { compared, different }) => sum + compared - different.length, 0);
    tell(way.name, equal, [...modules.different, ...frames.flatMap(({ different }) => different)]);
  }

  const libraries = systemLibraries();
  const wanted = libraries.slice(0, Number(values.libraries));
  const sums = { equal: 0, different: [] as string[], refused: 0, ended: 0 };
  const load = async (some: readonly string[]): Promise<void> => {
    const found = await compare(["/bin/true"], some);
    if (found) {
      sums.equal += found.equal;
      sums.different.push(...found.different);
      sums.refused += found.refused;
    } else if (some.length === 1) sums.ended++;
    else for (const path of some) await load([path]);
  };
  for (let i = 0; i < wanted.length; i += TOGETHER) await load(wanted.slice(i, i + TOGETHER));
  const note = `${sums.refused} refused by the loader, ${sums.ended} end their program`;
  tell(`${wanted.length} libraries loaded: modules and build ids`, sums.equal, sums.different, note);
  let [names, mangled, otherwise] = [0, 0, 0];
  const [otherNames, otherTexts]: [string[], string[]] = [[], []];
  for (const path of wanted) {
    const found = await compareNames(path);
    names += found.compared - found.different.length;
    otherNames.push(...found.different);
    const demangled = compareDemangled(path);
    mangled += demangled.compared - demangled.different.length;
    otherwise += demangled.otherwise;
    otherTexts.push(...demangled.different);
  }
  tell(`${wanted.length} libraries: names, by nm`, names, otherNames);
  tell(`${wanted.length} libraries: demangled, by c++filt`, mangled, otherTexts, `${otherwise} in other words`);

  for (const name of PROGRAMS) {
    const path = isAbsolute(name) ? name : which(name);
    if (path === undefined || !existsSync(path)) continue;
    const modules = (await compare([path, "--version"])) ?? NONE;
    const found = await compareNames(realpathSync(path));
    const same = modules.equal + found.compared - found.different.length;
    tell(path.split("/").at(-1)!, same, [...modules.different, ...found.different]);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const head = ["what", "equal", "different", ""];
const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |\n`);
process.stdout.write(`\n${table.join("")}`);
process.exit(failed ? 1 : 0);
