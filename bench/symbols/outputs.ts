// What linkers and tools that rewrite files make of the same program and library.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { which } from "../../test/support/compilers.js";
import { root } from "../../test/support/run.js";

export interface Output {
  name: string;
  program: string;
  library: string;
}

interface Way {
  name: string;
  /** For the compiler, when it links. */
  flags: readonly string[];
  /** Commands for each of both files, one after the other; FILE stands for it. */
  after?: readonly (readonly string[])[];
}

const source = join(root, "bench/symbols/program.cc");
const bolt = ["", "-16", "-19"].map((version) => which(`llvm-bolt${version}`)).find((path) => path !== undefined);
/** A folder with an ld.lld, which gcc does not look for by another name. */
const lld = ["16", "14", "19"]
  .map((version) => `/usr/lib/llvm-${version}/bin`)
  .find((path) => existsSync(`${path}/ld.lld`));
const LONG = "/opt/".concat("a-folder-of-a-long-name/".repeat(40));
const APART = "-Wl,-z,separate-code";
const TOGETHER = "-Wl,-z,noseparate-code";
const KEPT = "-Wl,-q";

function patched(name: string, ...options: string[]): Way {
  return { name: `patchelf ${name}`, flags: [], after: [["patchelf", ...options, "FILE"]] };
}

function bolted(name: string, ...options: string[]): Way {
  const command = [bolt ?? "llvm-bolt", "FILE", "-o", "FILE.bolt", "-update-debug-sections", ...options];
  return { name: `BOLT ${name}`, flags: [KEPT], after: [command, ["mv", "FILE.bolt", "FILE"]] };
}

export const WAYS: readonly Way[] = [
  { name: "ld.bfd", flags: ["-fuse-ld=bfd", APART] },
  { name: "ld.bfd, code with the rest", flags: ["-fuse-ld=bfd", TOGETHER] },
  { name: "ld.bfd, not position independent", flags: ["-fuse-ld=bfd", "-no-pie"] },
  { name: "ld.bfd, no build id", flags: ["-fuse-ld=bfd", "-Wl,--build-id=none"] },
  { name: "ld.bfd, pages of 64 KiB", flags: ["-fuse-ld=bfd", "-Wl,-z,max-page-size=65536"] },
  { name: "gold", flags: ["-fuse-ld=gold", "-Wl,--build-id=sha1"] },
  { name: "gold, folded", flags: ["-fuse-ld=gold", "-Wl,--build-id=md5", "-Wl,--icf=all"] },
  { name: "gold, not position independent", flags: ["-fuse-ld=gold", "-no-pie"] },
  { name: "lld", flags: ["-fuse-ld=lld", "-Wl,--build-id=fast"] },
  { name: "lld, code with the rest", flags: ["-fuse-ld=lld", "-Wl,--build-id=sha1", "-Wl,--no-rosegment", TOGETHER] },
  { name: "lld, folded", flags: ["-fuse-ld=lld", "-Wl,--build-id=uuid", "-Wl,--icf=all"] },
  { name: "mold", flags: ["-fuse-ld=mold", "-Wl,--build-id=sha256"] },
  { name: "mold, not position independent", flags: ["-fuse-ld=mold", "-no-pie"] },
  { name: "mold, folded", flags: ["-fuse-ld=mold", "-Wl,--build-id", "-Wl,--icf=all"] },
  patched("--set-rpath", "--set-rpath", LONG),
  patched("--add-needed", "--add-needed", "libm.so.6"),
  patched("--page-size", "--page-size", "65536", "--set-rpath", LONG),
  bolted("as it is"),
  bolted("-reorder-blocks", "-reorder-blocks=ext-tsp", "-reorder-functions=exec-count"),
  bolted("-use-old-text", "-use-old-text"),
  { name: "strip --strip-debug", flags: [], after: [["strip", "--strip-debug", "FILE"]] },
  { name: "eu-strip, debug file beside", flags: [], after: [["eu-strip", "-f", "FILE.debug", "FILE"]] },
  {
    name: "objcopy, debug file beside",
    flags: [],
    after: [
      ["objcopy", "--only-keep-debug", "FILE", "FILE.debug"],
      ["objcopy", "--strip-debug", "--add-gnu-debuglink=FILE.debug", "FILE"],
    ],
  },
  { name: "objcopy, compressed", flags: [], after: [["objcopy", "--compress-debug-sections=zlib", "FILE"]] },
];

/** Builds one. @returns why it cannot be built here instead. */
export function output({ name, flags, after = [] }: Way, folder: string): Output | string {
  const where = join(folder, name.replace(/\W+/g, "-"));
  mkdirSync(where, { recursive: true });
  const [program, library] = [join(where, "program"), join(where, "liboutput.so")];
  const both = ["g++", ...(lld ? [`-B${lld}`] : []), "-g", "-O2", source, ...flags];
  const commands = [
    [...both.filter((flag) => flag !== "-no-pie"), "-DLIBRARY", "-fPIC", "-shared", "-o", library],
    [...both, library, "-Wl,-rpath,$ORIGIN", "-o", program],
    ...[library, program].flatMap((file) => after.map((command) => command.map((word) => word.replace("FILE", file)))),
  ];
  for (const [command, ...words] of commands) {
    const { status, stderr, error } = spawnSync(command!, words, { cwd: where, encoding: "utf8" });
    if (status !== 0) return `${command}: ${(stderr || String(error)).trim().split("\n").at(-1)}`;
  }
  return { name, program, library };
}
