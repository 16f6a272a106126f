// Checks what no compiler checks: who imports whom, what the library exports and needs, that asm/FORMAT.md says
// what asm/layout.ts says and the manual what --help says, lint and format, and that nothing of anybody's machine is left in the files.
//
//   node tools/check.mjs [--root FOLDER]
//
// Prints `file:line: what` for each violation and exits with 1; otherwise one line. Each check is a function of the
// project's folder that returns its violations; test/tools/check.test.ts shows each of them failing.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** @typedef {{ file: string, line: number, what: string }} Violation */

const NOT_OURS = new Set([".git", "node_modules", "build", "dist", ".zig", "bench/out"]);

/** Every file of the project, as a path from its folder; what is generated or fetched is left out. */
function files(root, folder = "") {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      if (NOT_OURS.has(path)) return [];
      return entry.isDirectory() ? files(root, path) : entry.isFile() ? [path] : [];
    });
}

const read = (root, path) => readFileSync(join(root, path), "utf8");
const lineOf = (text, offset) => text.slice(0, offset).split("\n").length;

/** The code with comments blanked out, every line where it was. */
function withoutComments(code) {
  return code.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/.*|\/\*[\s\S]*?\*\//g,
    (all, text) => (text === undefined ? all.replace(/[^\n]/g, " ") : all),
  );
}

// ── Who imports whom ─────────────────────────────────────────────────────────────────────────────

/** Importer, what it may import: paths from the project's folder; "node:" for built-in modules, "npm:" for dependencies. */
const ARROWS = [
  [/^asm\//, [/^asm\//]],
  [/^runtime\//, [/^runtime\//, /^build\/wasm\//, /^asm\/(.*\/)?layout\.ts$/, /^node:/, /^npm:/]],
  [/^api\//, [/^api\//, /^runtime\//]],
  // The modules that the launchers load; only they know the commands.
  [/^cli\/(memview|memhook|memdb)\.ts$/, [/^cli\//, /^runtime\//, /^node:/, /^npm:/]],
  [/^cli\//, [/^cli\/(?!commands\/)/, /^runtime\//, /^node:/, /^npm:/]],
  [/^(test|bench)\//, [/./]],
  // From what is built they take the programs' definitions.
  [/^tools\//, [/^tools\//, /^dist\/cli\//, /^node:/]],
];

const IMPORT =
  /\b(?:import|export)\b[^"';]*?\bfrom\s*["']([^"'\n]+)["']|\bimport\s*\(\s*["']([^"'\n]+)["']\s*\)|\bimport\s*["']([^"'\n]+)["']/g;

/** @returns {Violation[]} */
export function checkImports(root) {
  const found = [];
  const manifest = existsSync(join(root, "package.json")) ? JSON.parse(read(root, "package.json")) : {};
  const dependencies = new Set(["wasi", ...Object.keys(manifest.dependencies ?? {})]);
  // What only the programs use is bundled into them, so it need not be there where they are installed.
  const bundled = new Set([...dependencies, ...Object.keys(manifest.devDependencies ?? {})]);
  for (const file of files(root)) {
    const arrow = ARROWS.find(([importer]) => importer.test(file));
    if (!arrow || !/\.(ts|mjs)$/.test(file)) continue;
    const code = withoutComments(read(root, file));
    for (const match of code.matchAll(IMPORT)) {
      const name = match[1] ?? match[2] ?? match[3];
      const target = name.startsWith(".")
        ? normalize(join(dirname(file), name)).replace(/\.js$/, ".ts")
        : name.startsWith("node:")
          ? name
          : `npm:${name}`;
      const line = lineOf(code, match.index);
      // AssemblyScript names its modules without an ending.
      const allowed = arrow[1].some((pattern) => pattern.test(target) || pattern.test(`${target}.ts`));
      if (!allowed) found.push({ file, line, what: `must not import ${name}` });
      const tests = /^(test|bench)\//.test(file);
      const known = file.startsWith("cli/") ? bundled : dependencies;
      const packageName = name.startsWith("@") ? name.split("/").slice(0, 2).join("/") : name.split("/")[0];
      if (allowed && !tests && target.startsWith("npm:") && !known.has(packageName)) {
        found.push({ file, line, what: `${packageName} is not in package.json's dependencies` });
      }
    }
    if (/^(runtime|api|cli)\//.test(file) && !/^runtime\/host[^/]*\.ts$/.test(file)) {
      for (const match of code.matchAll(/\b(?:Bun|Deno)\s*[.?[]|["'](?:Bun|Deno)["']\s+in\b/g)) {
        found.push({
          file,
          line: lineOf(code, match.index),
          what: "names a runtime: that belongs into runtime/host*.ts",
        });
      }
    }
    if (/^(runtime|api|cli)\//.test(file) && file !== "runtime/clock.ts") {
      for (const match of code.matchAll(/\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b|\buptime\(/g)) {
        found.push({
          file,
          line: lineOf(code, match.index),
          what: "asks for the time: that is runtime/clock.ts's to do",
        });
      }
    }
  }
  return found;
}

// ── What the library includes ────────────────────────────────────────────────────────────────────

const SYSTEM_HEADERS = new RegExp(
  `^(?:(?:sys|linux|asm|arpa|net|netinet|bits)/[\\w/-]+|assert|byteswap|ctype|dirent|dlfcn|elf|endian|errno|fcntl|features|grp|inttypes|
  |limits|link|locale|malloc|netdb|poll|pthread|pwd|sched|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|
  |stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syscall|time|ucontext|unistd|wchar|cpuid|immintrin|x86intrin|arm_acle)\\.h$`.replace(
    /\n\s*\|/g,
    "",
  ),
);

/** @returns {Violation[]} */
export function checkIncludes(root) {
  const found = [];
  for (const file of files(root, "preload").filter((path) => /\.[chS]$/.test(path))) {
    const code = withoutComments(read(root, file));
    for (const match of code.matchAll(/^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]/gm)) {
      const [, quote, name] = match;
      const own = quote === '"' && (name === "layout.h" || existsSync(join(root, dirname(file), name)));
      const outside = own && !normalize(join(dirname(file), name)).startsWith("preload/");
      const system = quote === "<" && (name === "libunwind.h" || SYSTEM_HEADERS.test(name));
      if (outside || !(own || system))
        found.push({ file, line: lineOf(code, match.index), what: `must not include ${name}` });
    }
  }
  return found;
}

// ── What the library exports and needs ───────────────────────────────────────────────────────────

// Not musl's "libc.so": that name would end every program of glibc that one of musl starts (tools/drop-needed.mjs).
const C_LIBRARY = /^(?:libc|libpthread|libdl|ld-linux[\w-]*)\.so\.\d+$/;
const NEWEST_GLIBC = [2, 17];

/** What the dynamic loader would see of an ELF file with 64-bit little-endian records. */
function dynamicPart(path) {
  const elf = readFileSync(path);
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) return null;
  const u64 = (offset) => Number(elf.readBigUInt64LE(offset));
  const sections = Array.from({ length: elf.readUInt16LE(60) }, (_, i) => {
    const header = u64(40) + i * elf.readUInt16LE(58);
    return {
      type: elf.readUInt32LE(header + 4),
      offset: u64(header + 24),
      size: u64(header + 32),
      link: elf.readUInt32LE(header + 40),
      info: elf.readUInt32LE(header + 44),
    };
  });
  const string = (table, offset) => {
    const start = sections[table].offset + offset;
    return elf.toString("latin1", start, elf.indexOf(0, start));
  };
  const exported = [];
  const needed = [];
  const versions = [];
  for (const { type, offset, size, link, info } of sections) {
    if (type === 11) {
      for (let at = offset; at < offset + size; at += 24) {
        const binding = elf[at + 4] >> 4;
        if (elf.readUInt16LE(at + 6) !== 0 && (binding === 1 || binding === 2))
          exported.push(string(link, elf.readUInt32LE(at)));
      }
    } else if (type === 6) {
      for (let at = offset; at < offset + size && u64(at) !== 0; at += 16) {
        if (u64(at) === 1) needed.push(string(link, u64(at + 8)));
      }
    } else if (type === 0x6ffffffe) {
      let library = offset;
      for (let i = 0; i < info; i++) {
        let version = library + elf.readUInt32LE(library + 8);
        for (let k = elf.readUInt16LE(library + 2); k > 0; k--) {
          versions.push(string(link, elf.readUInt32LE(version + 8)));
          version += elf.readUInt32LE(version + 12);
        }
        library += elf.readUInt32LE(library + 12);
      }
    }
  }
  return { exported, needed, versions };
}

/** @returns {Violation[]} */
export function checkLibrary(root) {
  const found = [];
  const map = "build/libmemhook.map";
  if (!existsSync(join(root, map)))
    return [{ file: map, line: 1, what: "is missing: it lists what the library exports" }];
  const script = withoutComments(read(root, map));
  const listed = [...(/global:([\s\S]*?)local:/.exec(script)?.[1] ?? "").matchAll(/([\w*]+)\s*;/g)].map(
    (match) => match[1],
  );
  const lineOfName = (name) => lineOf(script, Math.max(0, script.search(new RegExp(`\\b${name}\\s*;`))));
  for (const name of listed.filter((listedName) => listedName.includes("*"))) {
    found.push({ file: map, line: 1, what: `exports a pattern, ${name}, instead of names` });
  }

  const folder = join(root, "build/lib");
  const libraries = existsSync(folder) ? readdirSync(folder).map((name) => `build/lib/${name}/libmemhook.so`) : [];
  // Not those of other targets that were built from other sources: only ./build.sh targets brings them up to date.
  const changed = Math.max(...files(root, "preload").map((path) => statSync(join(root, path)).mtimeMs));
  const built = libraries.filter(
    (path) => existsSync(join(root, path)) && statSync(join(root, path)).mtimeMs >= changed,
  );
  if (built.length === 0) found.push({ file: "build/lib", line: 1, what: "holds no libmemhook.so: build first" });
  for (const file of built) {
    const complain = (what) => found.push({ file, line: 1, what });
    const dynamic = dynamicPart(join(root, file));
    if (!dynamic) {
      complain("is no 64-bit little-endian ELF file");
      continue;
    }
    const exported = new Set(dynamic.exported);
    for (const name of exported) {
      if (/^_*(?:Unwind_|unw_|U_)/.test(name)) complain(`exports ${name} of the unwinder inside it`);
      else if (!listed.includes(name)) complain(`exports ${name}, which ${map} does not list`);
    }
    for (const name of listed) {
      if (!exported.has(name))
        found.push({ file: map, line: lineOfName(name), what: `${name} is not exported by ${file}` });
    }
    for (const name of dynamic.needed.filter((library) => !C_LIBRARY.test(library))) complain(`needs ${name}`);
    for (const name of new Set(dynamic.versions)) {
      const [major, minor] = (/^GLIBC_(\d+)\.(\d+)/.exec(name) ?? []).slice(1).map(Number);
      if (major > NEWEST_GLIBC[0] || (major === NEWEST_GLIBC[0] && minor > NEWEST_GLIBC[1])) {
        complain(`needs ${name}, newer than GLIBC_${NEWEST_GLIBC.join(".")}`);
      }
    }
  }
  return found;
}

// ── asm/FORMAT.md and asm/layout.ts ──────────────────────────────────────────────────────────────

/** Records that leave room for new fields behind the last one. */
const ROOM_AT_END = new Set(["HEADER", "ARRAY"]);
const LINE_BYTES = 64;

/** @returns {Violation[]} */
export function checkFormat(root) {
  const layoutFile = "asm/layout.ts";
  const file = "asm/FORMAT.md";
  const found = [];
  const values = new Map();
  /** Constants on neighbouring lines: a record's fields, or the values of one field. */
  const runs = [[]];
  read(root, layoutFile)
    .split("\n")
    .forEach((text, index) => {
      const match = /^export const (\w+) = (\w+);$/.exec(text);
      if (match) {
        values.set(match[1], Number(match[2]));
        runs.at(-1).push({ name: match[1], value: Number(match[2]), line: index + 1 });
      } else if (runs.at(-1).length > 0) runs.push([]);
    });

  const complain = (line, what) => found.push({ file, line, what });
  const expectValue = (line, name, value) => {
    if (!values.has(name)) complain(line, `${name} is not in ${layoutFile}`);
    else if (values.get(name) !== value)
      complain(line, `${name} is ${value} here and ${values.get(name)} in ${layoutFile}`);
  };
  const described = new Set();
  const lines = read(root, file).split("\n");
  /** The fields of the table that is being read. */
  let fields = [];
  const endTable = () => {
    if (fields.length > 0) checkRecord(fields, values, layoutFile, complain);
    fields = [];
  };
  lines.forEach((text, index) => {
    const line = index + 1;
    const field = /^\| `([A-Z][A-Z0-9_]*)` \| (\d+) \| (\d+|…) \|/.exec(text);
    if (field) {
      const [, name, offset, size] = field;
      expectValue(line, name, Number(offset));
      described.add(name);
      fields.push({ name, line, offset: Number(offset), size: size === "…" ? Number.POSITIVE_INFINITY : Number(size) });
      return;
    }
    if (!text.startsWith("|")) endTable();
    const numbered = /^\| (\d+) \| `([A-Z][A-Z0-9_]*)` \|/.exec(text);
    if (numbered) expectValue(line, numbered[2], Number(numbered[1]));
    const region = /^\| ([a-z][a-z ]*) \| (\d+) \| (\d+) \|/.exec(text);
    if (region) {
      const name = region[1].toUpperCase().replaceAll(" ", "_");
      if (values.has(`${name}_OFFSET`)) expectValue(line, `${name}_OFFSET`, Number(region[2]));
      const count = values.get(`${name}_MAX_COUNT`);
      if (count !== undefined) expectValue(line, `${name.replace(/S$/, "")}_BYTES`, Number(region[3]) / count);
      else if (values.has(`${name}_BYTES`)) expectValue(line, `${name}_BYTES`, Number(region[3]));
    }
    const kind = /^\| (\d+) \| ([a-z]+)s \| (\d+) \|/.exec(text);
    if (kind) {
      const name = kind[2].toUpperCase();
      expectValue(line, `KIND_${name}S`, Number(kind[1]));
      if (values.has(`${name}_BYTES`)) expectValue(line, `${name}_BYTES`, Number(kind[3]));
    }
    for (const [, name, value] of text.matchAll(/`([A-Z][A-Z0-9_]+)` \((\d+)\)/g))
      expectValue(line, name, Number(value));
  });
  endTable();

  for (const run of runs) {
    const size = run.findIndex(({ name }) => name.endsWith("_BYTES"));
    const isRecord = size > 0 && run[0].value === 0;
    if (!isRecord && !run.some(({ name }) => described.has(name))) continue;
    for (const { name, line } of size > 0 ? run.slice(0, size) : run) {
      if (!described.has(name)) found.push({ file: layoutFile, line, what: `${name} is in no table of ${file}` });
    }
  }
  return found;
}

/** One record: fields in order, no overlap, no gap but before a new cache line, and they make up its size. */
function checkRecord(fields, values, layoutFile, complain) {
  let end = 0;
  for (const { name, line, offset, size } of fields) {
    if (offset < end) complain(line, `${name} overlaps the field before it, which ends at ${end}`);
    if (offset > end && offset % LINE_BYTES !== 0) complain(line, `a gap before ${name}, from ${end} to ${offset}`);
    end = offset + size;
  }
  const first = fields[0].name.split("_");
  const { line } = fields.at(-1);
  for (let words = first.length - 1; words > 0; words--) {
    const record = first.slice(0, words).join("_");
    const bytes = values.get(`${record}_BYTES`);
    if (bytes === undefined || !fields.every(({ name }) => name.startsWith(`${record}_`))) continue;
    if (end > bytes || (end < bytes && !ROOM_AT_END.has(record))) {
      complain(line, `the fields end at ${end}, ${record}_BYTES in ${layoutFile} is ${bytes}`);
    }
    return;
  }
}

// ── Lint and format ──────────────────────────────────────────────────────────────────────────────

/** Biome says paths from the project's folder, or whole, with or without the first slash. */
function fromRoot(root, path) {
  const whole = `/${path.replace(/^\//, "")}`;
  return whole.startsWith(`${root}/`) ? relative(root, whole) : path;
}

/** @returns {Violation[]} */
export function checkStyle(root) {
  const biome = join(root, "node_modules/.bin/biome");
  if (!existsSync(biome)) return [{ file: "node_modules/.bin/biome", line: 1, what: "is missing: run ./build.sh" }];
  const { status, stdout, stderr } = spawnSync(biome, ["check", "--reporter=github", "--max-diagnostics=none", "."], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const found = [...stdout.matchAll(/^\s*::(?:error|warning) (.*?)::(.*)$/gm)].map(([, properties, message]) => ({
    file: fromRoot(root, /file=([^,]*)/.exec(properties)?.[1] ?? "biome.json"),
    line: Number(/line=(\d+)/.exec(properties)?.[1] ?? 1),
    what: `${/title=([^,]*)/.exec(properties)?.[1] ?? "biome"}: ${message.split("%0A")[0]}`,
  }));
  if (status !== 0 && found.length === 0)
    found.push({ file: "biome.json", line: 1, what: stderr.trim().split("\n")[0] });
  return found;
}

// ── What is made from the programs' definitions ──────────────────────────────────────────────────

/** @returns {Violation[]} */
export function checkDocuments(root) {
  const tool = join(root, "tools/docs.mjs");
  if (!existsSync(tool)) return [];
  const { status, stdout, stderr } = spawnSync("node", [tool, "--check"], { encoding: "utf8" });
  const found = [...stdout.matchAll(/^(\S+): (.*)$/gm)].map(([, file, what]) => ({ file, line: 1, what }));
  if (status !== 0 && found.length === 0)
    found.push({ file: "tools/docs.mjs", line: 1, what: /^\w*Error.*$/m.exec(stderr)?.[0] ?? stderr.trim() });
  return found;
}

// ── What must be in no file ──────────────────────────────────────────────────────────────────────

// Written so that this file does not contain what it looks for.
const FORBIDDEN = [
  [/\b(?:TO[D]O|FIX[M]E|XX[X])\b/, "is unfinished"],
  [/(?<![\w.~:/-])\/(?:wor[k]|roo[t]|hom[e])\/\w/, "names a path of one machine"],
  [
    /\b(?:registry\.(?:npmjs|yarnpkg)|files\.pythonhosted|pypi)\.(?:org|com)\b|https?:\/\/[^\s/$]*(?:artifactory|nexus|mirror|registry)/,
    "names a package registry",
  ],
];

/** @returns {Violation[]} */
export function checkText(root) {
  const found = [];
  for (const file of files(root)) {
    const text = read(root, file);
    if (text.includes("\0")) continue;
    text.split("\n").forEach((content, index) => {
      for (const [pattern, what] of FORBIDDEN) {
        const match = pattern.exec(content);
        if (match) found.push({ file, line: index + 1, what: `${what}: ${match[0]}` });
      }
      if (file === "package-lock.json" && /^\s*"resolved":/.test(content)) {
        found.push({ file, line: index + 1, what: "says where a package was fetched from" });
      }
    });
  }
  return found;
}

export const CHECKS = { checkImports, checkIncludes, checkLibrary, checkFormat, checkStyle, checkDocuments, checkText };

if (process.argv[1] && fileURLToPath(import.meta.url) === process.argv[1]) {
  const own = dirname(dirname(fileURLToPath(import.meta.url)));
  const at = process.argv.indexOf("--root");
  const root = at > 0 ? process.argv[at + 1] : own;
  const found = Object.values(CHECKS).flatMap((check) => check(root));
  for (const { file, line, what } of found) console.log(`${relative("", join(root, file))}:${line}: ${what}`);
  if (found.length === 0) console.log(`${Object.keys(CHECKS).length} checks, no violation`);
  process.exitCode = found.length === 0 ? 0 : 1;
}
