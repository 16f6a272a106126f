// What `npm pack` puts into the package: all that runs and nothing else, small, without install scripts; and its types
// as a strict TypeScript project sees them.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { before, test } from "node:test";
import { type Packed, pack } from "../support/registry.js";
import { onceIsEnough, RUNTIMES, root, runTool, temporaryFolder } from "../support/run.js";

// What npm packs and tsc says does not depend on what runs the tests.
const skip = onceIsEnough;
const folder = temporaryFolder();
const MOST_BYTES = 3_000_000;

let packed: Packed;
before(async () => {
  if (!skip) packed = (await pack(folder))[0]!;
});

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const paths = () => packed.files.map(({ path }) => path).sort();
const sources = (place: string): string[] =>
  readdirSync(join(root, place), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
    .map((path) => `dist/${place}/${path.replace(/ts$/, "js")}`);

test("the package has every module that its programs and its API can load, and the compiled code of no other", {
  skip,
}, () => {
  const programs = readdirSync(join(root, "dist/bin")).map((file) => `dist/bin/${file}`);
  const layouts = ["dist/asm/layout.js", "dist/asm/reach/layout.js", "dist/asm/symbols/layout.js"];
  const modules = [...["api", "runtime", "build/wasm"].flatMap(sources), ...layouts];
  assert.deepEqual(
    paths().filter((path) => path.endsWith(".js")),
    [...modules, ...programs.filter((path) => path.endsWith(".js"))].sort(),
  );
  for (const name of Object.keys(manifest.bin)) assert.ok(programs.includes(`dist/bin/${name}.js`), name);
});

test("what is bundled into the programs comes with its licence, what is not is a dependency", { skip }, () => {
  const licences = readFileSync(join(root, "dist/bin/LICENSES"), "utf8");
  const bundled = new Set<string>();
  const loaded = new Set<string>();
  for (const file of readdirSync(join(root, "dist/bin")).filter((name) => name.endsWith(".js"))) {
    const text = readFileSync(join(root, "dist/bin", file), "utf8");
    for (const [, name] of text.matchAll(/^\/\/ node_modules\/([^/]+)\//gm)) bundled.add(name!);
    for (const [, name] of text.matchAll(/(?:from |import\(|resolve\()"([^./"][^"]*)"/g)) loaded.add(name!);
  }
  assert.deepEqual([...bundled].sort(), ["citty", "consola", "get-east-asian-width", "ms"]);
  // It is embedded, and so in no comment of the bundler's.
  bundled.add("gecko-profiler-demangle");
  for (const name of bundled) assert.match(licences, new RegExp(`^${name}\n\n(.*\n){0,4}.*Copyright`, "m"));
  const packages = [...loaded].filter((name) => !isBuiltin(name)).map((name) => name.split("/")[0]);
  assert.deepEqual([...new Set(packages)].sort(), Object.keys(manifest.dependencies).sort());
});

test("the package has the libraries, the header, the manual, and nothing of the workshop", { skip }, () => {
  const rest = paths().filter((path) => !path.startsWith("dist/") && !path.startsWith("docs/"));
  const [, targets = ""] = /^targets=\((.*)\)$/m.exec(readFileSync(join(root, "build.sh"), "utf8")) ?? [];
  const libraries = targets.split(" ").map((target) => `build/lib/${target}/libmemhook.so`);
  assert.equal(libraries.length, 4);
  assert.deepEqual(
    rest,
    [
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "asm/FORMAT.md",
      ...libraries,
      "build/lib/look-aarch64/memhook-look",
      "build/lib/look-x86_64/memhook-look",
      "memdb",
      "memhook",
      "memview",
      "package.json",
      "preload/memhook.h",
    ].sort(),
  );
  assert.deepEqual(
    paths().filter((path) => path.startsWith("docs/")),
    readdirSync(join(root, "docs"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length))
      .sort(),
  );
  assert.deepEqual(
    paths().filter((path) => /^(dist\/)?(test|bench|tools)\/|\.(c|cc|wat|tsbuildinfo)$/.test(path)),
    [],
  );
  for (const path of [...Object.values<string>(manifest.bin), ...manifest.man]) assert.ok(paths().includes(path), path);
});

test(`the package takes at most ${MOST_BYTES} bytes`, { skip }, () => {
  assert.ok(packed.size <= MOST_BYTES, `${packed.size}`);
  assert.ok(packed.size > 100_000, "a package of a few KB has no library");
});

test("the programs are executable, and nothing runs at installation", { skip }, () => {
  for (const { path, mode } of packed.files) {
    assert.equal((mode & 0o111) !== 0, /^(mem\w+|build\/lib\/.*)$/.test(path), `${path} ${mode.toString(8)}`);
  }
  // prepack is the packer's own.
  assert.deepEqual(Object.keys(manifest.scripts), ["prepack"]);
  assert.ok(!paths().includes("binding.gyp"), "npm would run node-gyp");
  for (const name of Object.keys(manifest.dependencies)) {
    const { scripts = {} } = JSON.parse(readFileSync(join(root, "node_modules", name, "package.json"), "utf8"));
    for (const when of ["preinstall", "install", "postinstall"]) assert.ok(!(when in scripts), `${name}: ${when}`);
  }
});

// A project with all checks and no types of any runtime: what the package declares must stand for itself.
const CONSUMER = `
import { diff, type Filter, openStore, readSnapshot, type Snapshot, type Store, snapshot, StoreError } from "memhook";
import { LaunchError, libraryPath, SnapshotError, SuppressionsError, writeSnapshot } from "memhook";
import { type LogEntry, type Memdb, serve, type Status, status } from "memhook/memdb";
import { growth, type Look, regressions, watch } from "memhook/memview";

const filter: Filter = { minSize: 16, minTimeFromNow: 1000, kind: "heap", module: /libx/, maxTime: new Date() };
const store: Store = await openStore("app.mem");
const { stacks, totals, matched, process } = await store.stacks({ ...filter, sort: "size", top: 10 });
const place: string | null | undefined = stacks[0]?.stack[0]?.function;
const numbers: number[] = [totals.liveBytes, matched.count, process.pid, stacks[0]?.bytes ?? 0];
const { allocations } = await store.allocations({ sort: "address" });
const address: string | undefined = allocations[0]?.address;
const now: Snapshot = await snapshot([store], filter);
const { changes } = diff(await readSnapshot("a.snap"), now);
const failing = regressions({ ...diff(now, now), changes }, { failOn: new Set(["new"]), maxGrowth: { percent: 5 } });
await writeSnapshot("b.snap", now);
for await (const look of watch(store, { every: 1000 })) {
  const more: Look["growth"] = look.growth;
  if (more !== undefined && more.bytes > 0) break;
}
const kinds = growth([1, 2, 3].map((time) => ({ time, snapshot: now }))).map(({ kind }) => kind === "growing");
const memdb: Memdb = await serve({ store: "db", unix: "/run/x", log: ({ event, peer }: LogEntry) => [event, peer] });
const answer: Status = await status({ port: memdb.address?.port ?? 1 });
const errors = [new LaunchError(""), new StoreError(""), new SnapshotError(""), new SuppressionsError("")].map(
  (error: Error) => error.name,
);
export { address, answer, errors, failing, kinds, libraryPath, numbers, place };
// @ts-expect-error: allocations have no order by peak
await store.allocations({ sort: "peak" });
// @ts-expect-error: what is inside is not for users
await import("memhook/dist/runtime/stores/store.js");
// @ts-expect-error: frames may be missing
stacks[0].stack[0].function.length;
`;

/** A project that has the package unpacked, and none of its dependencies: types need none. */
async function consumer(name: string): Promise<string> {
  const project = join(folder, name);
  mkdirSync(join(project, "node_modules"), { recursive: true });
  await runTool(["tar", "-xzf", join(folder, packed.filename), "-C", join(project, "node_modules")], folder);
  await runTool(["mv", "package", "memhook"], join(project, "node_modules"));
  writeFileSync(join(project, "package.json"), '{ "type": "module", "dependencies": { "memhook": "*" } }');
  writeFileSync(join(project, "consumer.ts"), CONSUMER);
  return project;
}

test("the types serve Deno", { skip }, async () => {
  const project = await consumer("deno");
  const [deno] = RUNTIMES.deno!;
  const env = { DENO_DIR: join(folder, "deno-cache") };
  await runTool([deno!, "check", "consumer.ts"], project, env);
  writeFileSync(
    join(project, "wrong.ts"),
    'import { openStore } from "memhook"; const path: string = openStore; path;',
  );
  await assert.rejects(runTool([deno!, "check", "wrong.ts"], project, env), /TS2322/);
});

for (const [resolution, module] of [
  ["nodenext", "nodenext"],
  ["bundler", "esnext"],
] as const) {
  test(`the types serve a strict project with moduleResolution ${resolution}`, { skip }, async () => {
    const project = await consumer(resolution);
    const compilerOptions = {
      module,
      moduleResolution: resolution,
      target: "es2022",
      lib: ["es2023"],
      types: [],
      strict: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      isolatedModules: true,
      verbatimModuleSyntax: true,
      skipLibCheck: false,
      noEmit: true,
    };
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
    const { status, stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), [], { cwd: project, encoding: "utf8" });
    assert.deepEqual([stdout, status], ["", 0]);
    for (const { types, default: code } of Object.values<{ types?: string; default: string }>(manifest.exports)) {
      if (types === undefined) continue;
      for (const path of [types, code]) assert.ok(existsSync(join(project, "node_modules/memhook", path)), path);
    }
  });
}
