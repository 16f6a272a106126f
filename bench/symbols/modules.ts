// Runs a program under memhook, and compares the modules of its store with what the dynamic loader says (loaded.c),
// their build ids with those of readelf and eu-readelf, and what a viewer reads from the file with what the library
// read. The last library is only there to allocate: of programs with an allocator of their own memhook does not see it.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { ModuleInfo } from "../../runtime/host/types.js";
import { openStore } from "../../runtime/stores/store.js";
import { ElfFile } from "../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../runtime/symbols/symbolcore.js";
import { library } from "../../test/support/compilers.js";

export interface Compared {
  equal: number;
  different: string[];
  /** Libraries that the loader refused. */
  refused: number;
}

const MINUTE = 60_000;

/**
 * `libraries` are loaded into the program, which may then end as it likes. Undefined where it ends before: some
 * libraries end their programs as soon as they are loaded.
 */
export async function compareModules(
  loaded: string,
  folder: string,
  command: readonly string[],
  libraries: readonly string[],
): Promise<Compared | undefined> {
  const [store, said] = [join(folder, "run.mem"), join(folder, "said.txt")];
  for (const path of [store, said]) rmSync(path, { force: true });
  const env = {
    ...process.env,
    ...{ LD_PRELOAD: `${library}:${loaded}`, MEMHOOK_FILE: store, MEMHOOK_FOLLOW: "0" },
    ...{ LOADED_TO: said, LOADED_WHAT: libraries.join("\n") },
  };
  spawnSync(command[0]!, command.slice(1), { cwd: folder, env, stdio: "ignore", timeout: MINUTE });
  if (!existsSync(said) || !readFileSync(said, "utf8").endsWith("\n")) return undefined;
  const opened = await openStore(store);
  const modules = opened.modules();
  opened.close();
  const result: Compared = { equal: 0, different: [], refused: 0 };
  for (const line of readFileSync(said, "utf8").trim().split("\n")) {
    if (!/^[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ /.test(line)) result.refused += Number(line.startsWith("! "));
    else if (!line.includes("linux-vdso") && !line.endsWith(libraries.at(-1)!)) {
      const fault = faultOf(line, modules, realpathSync(command[0]!));
      if (fault === undefined) result.equal++;
      else result.different.push(`${line}: ${fault}`);
    }
  }
  return result;
}

function faultOf(line: string, modules: readonly ModuleInfo[], program: string): string | undefined {
  const [, bias, start, end, name] = /^(\S+) (\S+) (\S+) (.*)$/.exec(line)!;
  const path = realpathSync(name === "" ? program : name!);
  const module = modules.find((one) => one.path === path && one.bias === BigInt(`0x${bias}`));
  if (module === undefined) return "no module";
  if (module.start !== BigInt(`0x${start}`) || module.end !== BigInt(`0x${end}`))
    return `from ${module.start.toString(16)} to ${module.end.toString(16)}`;
  const ours = Buffer.from(module.buildId).toString("hex");
  const file = new ElfFile(new SymbolCore(), path);
  const layout = file.layout();
  file.close();
  const others = [
    ["readelf", buildIdBy("readelf", "-nW", path)],
    ["eu-readelf", buildIdBy("eu-readelf", "-n", path)],
    ["the viewer", Buffer.from(file.buildId).toString("hex")],
  ];
  const other = others.find(([, id]) => id !== ours);
  if (other !== undefined) return `build id ${ours}, by ${other[0]} ${other[1]}`;
  return module.file?.layout === layout ? undefined : "another layout of segments in the viewer";
}

function buildIdBy(...command: string[]): string {
  const { stdout } = spawnSync(command[0]!, command.slice(1), { encoding: "utf8", maxBuffer: 1 << 28 });
  return /Build ID: ([0-9a-f]+)/.exec(stdout)?.[1] ?? "";
}
