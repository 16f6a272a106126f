// The compilers at hand, each of several versions and languages, and how each builds the project.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { findZig, which } from "../../test/support/compilers.js";
import { zigCaches } from "../../test/support/programs.js";
import { nativeProject } from "./native.js";
import type { Project } from "./project.js";
import { rustProject } from "./rust.js";

export interface Toolchain {
  /** As "gcc 12.2.0". */
  name: string;
  language: "native" | "rust";
  /** The ways in which the project is built before an edit: a name, and flags. */
  modes: readonly (readonly [name: string, flags: readonly string[]])[];
  /** Flags for them; undefined where it has no such thing. */
  lto?: readonly string[] | undefined;
  thinLto?: readonly string[] | undefined;
  mangling?: readonly string[] | undefined;
  project: () => Project;
  /** Compiles and links. @returns the program. */
  build(project: Project, workshop: Workshop): string;
}

/** Where things are built. What was compiled before, with the same text in the same place, is not compiled again. */
export class Workshop {
  constructor(readonly folder: string) {
    mkdirSync(join(folder, "objects"), { recursive: true });
  }

  /** Writes the project's sources alone into its folder. */
  checkOut(project: Project): string {
    const folder = join(this.folder, project.folder);
    rmSync(folder, { recursive: true, force: true });
    for (const [file, text] of project.files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), text);
    }
    return folder;
  }

  /**
   * The path of what a compiler makes of a source; it is not run again for the same command and inputs.
   * @param name of the result, with "HASH" in it.
   */
  compile(command: readonly string[], cwd: string, inputs: readonly string[], name: string): string {
    const hash = createHash("sha256")
      .update(JSON.stringify([command, cwd, inputs]))
      .digest("hex")
      .slice(0, 20);
    const made = join(this.folder, "objects", name.replace("HASH", hash));
    if (!existsSync(made)) this.run([...command, "-o", made], cwd);
    return made;
  }

  run([program, ...words]: readonly string[], cwd: string): void {
    const env = { ...process.env, ...zigCaches() };
    const { status, stderr, error } = spawnSync(program!, words, { cwd, encoding: "utf8", maxBuffer: 1 << 28, env });
    if (status !== 0) throw new Error(`${[program, ...words].join(" ")}\n${stderr ?? error}`);
  }
}

function versionOf(command: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(command[0]!, [...command.slice(1), "--version"], { encoding: "utf8" });
  return status === 0 ? /\d+\.\d+\.\d+/.exec(stdout)?.[0] : undefined;
}

const NATIVE_MODES = [
  ["-O0", ["-O0"]],
  ["-O2", ["-O2"]],
  ["-O2 without -g", ["-O2", "-g0"]],
] as const;

/** A compiler of C and C++, by the commands for both. */
function native(name: string, c: readonly string[], cxx: readonly string[]): Toolchain[] {
  const version = versionOf(c);
  if (version === undefined || versionOf(cxx) === undefined) return [];
  const [major] = version.split(".").map(Number) as [number];
  const clang = name !== "gcc";
  const link = clang ? ["-fuse-ld=lld"] : [];
  return [
    {
      name: `${name} ${version}`,
      language: "native",
      modes: NATIVE_MODES,
      lto: ["-flto", ...link],
      thinLto: clang ? ["-flto=thin", ...link] : undefined,
      project: () => nativeProject(clang ? major >= 15 : major >= 11),
      build(project, workshop) {
        const folder = workshop.checkOut(project);
        const headers = [...project.files].filter(([file]) => file.endsWith(".h")).flat();
        const ofProgram: string[] = [];
        const ofLibrary: string[] = [];
        for (const unit of project.units) {
          const inLibrary = /c2\w*\.c$/.test(unit);
          const language = unit.endsWith(".c") ? [...c, "-std=gnu11"] : [...cxx, "-std=c++20"];
          const flags = [...COMMON, ...project.flags].filter((flag) => !(inLibrary && POSITION.test(flag)));
          const command = [...language, ...flags, `-DVERSION="${project.version}"`, "-c", unit];
          const object = workshop.compile(command, folder, [project.files.get(unit)!, ...headers], "HASH.o");
          (inLibrary ? ofLibrary : ofProgram).push(object);
        }
        const library = `libkept.so.${project.version}`;
        const linker = [...cxx, ...COMMON, ...project.flags, ...project.linking, `-Wl,-rpath,${folder}`];
        const shared = [...linker.filter((flag) => !POSITION.test(flag)), "-shared", `-Wl,-soname,${library}`];
        workshop.run([...shared, ...ofLibrary, "-o", library], folder);
        workshop.run([...linker, ...ofProgram, `./${library}`, "-o", "app"], folder);
        return join(folder, "app");
      },
    },
  ];
}

const COMMON = ["-g", "-fPIC", "-pthread", "-w"];
/** Flags of position dependent programs, which libraries cannot have. */
const POSITION = /^-(fno-pie|no-pie)$/;

const RUST_MODES = [
  ["debug", ["-Copt-level=0"]],
  ["release", ["-Copt-level=3"]],
  ["release without -g", ["-Copt-level=3", "-Cdebuginfo=0"]],
] as const;

function rust(rustc: string): Toolchain[] {
  const version = versionOf([rustc]);
  if (version === undefined) return [];
  return [
    {
      name: `rustc ${version}`,
      language: "rust",
      modes: RUST_MODES,
      lto: ["-Clto=fat"],
      thinLto: ["-Clto=thin"],
      mangling: Number(version.split(".")[1]) >= 59 ? ["-Csymbol-mangling-version=v0"] : undefined,
      project: rustProject,
      build(project, workshop) {
        const folder = workshop.checkOut(project);
        const [dependency, program] = project.units as [string, string];
        const texts = [...project.files.values()];
        // Cargo hashes versions into names in the same way.
        const command = (crate: string) => [
          ...[rustc, "-Cdebuginfo=2", "--edition=2021", "--cap-lints=allow", "-Ccodegen-units=4", ...project.flags],
          ...[`--crate-name=${crate}`, `-Cmetadata=${crate}-${project.version}`],
        ];
        const ofLibrary = command("dep").filter((flag) => !flag.startsWith("-Clto"));
        const library = workshop.compile(
          [...ofLibrary, "--crate-type=rlib", dependency],
          folder,
          texts,
          "libdep-HASH.rlib",
        );
        workshop.run([...command("app"), `--extern=dep=${library}`, program, "-o", "app"], folder);
        return join(folder, "app");
      },
    },
  ];
}

const zig = findZig();

const gcc = (of = "") => native("gcc", [`gcc${of}`], [`g++${of}`]);
const clang = (of = "") => native("clang", [`clang${of}`], [`clang++${of}`]);
const zigCc = () => (zig === undefined ? [] : native("zig cc", [zig, "cc"], [zig, "c++"]));
const rustOf = (path: string | undefined) => (path !== undefined && existsSync(path) ? rust(path) : []);

/** Every one that is there, each version once. */
export function toolchains(): Toolchain[] {
  const found = [
    ...["", "-10", "-11", "-12", "-13", "-14", "-15"].flatMap(gcc),
    ...["", "-14", "-15", "-16", "-17", "-18", "-19"].flatMap(clang),
    ...zigCc(),
    ...[which("rustc"), "/usr/bin/rustc"].flatMap(rustOf),
  ];
  return found.filter(({ name }, index) => found.findIndex((other) => other.name === name) === index);
}

/** The first of a language. */
export function aToolchain(language: Toolchain["language"]): Toolchain | undefined {
  return language === "rust" ? rustOf(which("rustc"))[0] : (gcc()[0] ?? clang()[0] ?? zigCc()[0]);
}
