// The package as users get it: installed by npm, Bun and Deno into an empty folder, from a
// registry on loopback, with nothing from a cache. Then its programs, under every runtime
// that memhook is for, trace a program that leaks, look into its store, and collect from
// it; and the example of README runs there. The same for the launchers of this checkout.
//
// One suite does this for all runtimes: Node's.

import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { after } from "../support/after.js";
import { nodes } from "../support/nodes.js";
import { build, noCompiler, Running } from "../support/programs.js";
import { pack, serveRegistry } from "../support/registry.js";
import { onceIsEnough, RUNTIMES, root, runTool, temporaryFolder } from "../support/run.js";

const skip = onceIsEnough || noCompiler;
const folder = temporaryFolder();

/** A place where the programs can be run. */
interface Place {
  /** Where it is run, and where its stores go. */
  cwd: string;
  /** Where memview, memdb and memhook are. */
  launchers: string;
  example: string;
  /** Where the library must be found. */
  library: string;
  /** Caches of the clients, and the folder for temporary files. */
  env: Record<string, string>;
  /** The one runtime that runs there. */
  only?: string;
}

const [BUN, DENO] = [RUNTIMES.bun![0]!, RUNTIMES.deno![0]!];

/** What a user types: to install, and to get the launchers. */
const CLIENTS: Record<string, { install: string[]; init: string[]; manifest?: string }> = {
  npm: {
    install: ["npm", "install", "--no-audit", "--no-fund", "memhook"],
    init: ["npx", "--no", "memhook", "init"],
  },
  Bun: {
    install: [BUN, "add", "memhook"],
    init: [BUN, "x", "--no-install", "memhook", "init"],
  },
  // Without a package.json Deno makes no node_modules: see below.
  Deno: {
    manifest: "{}",
    install: [DENO, "add", "npm:memhook"],
    init: [DENO, "run", "-A", "npm:memhook/memhook", "init"],
  },
};

let registry: Awaited<ReturnType<typeof serveRegistry>> | undefined;
const runtimes: [name: string, command: readonly string[]][] = [
  ["Node 20", []],
  ["Node 22", []],
  ["Node 24", []],
  ["Bun", RUNTIMES.bun!],
  ["Deno", RUNTIMES.deno!],
];

before(async () => {
  if (skip) return;
  const packages = join(folder, "packages");
  mkdirSync(packages);
  registry = await serveRegistry(packages, await pack(packages));
  for (const [i, [name, program]] of (await nodes()).entries()) runtimes[i] = [name, [program]];
});
after(() => registry?.close());

const example = join(root, "test/package/example.mjs");
/** Where links for LD_PRELOAD go, to be removed with the rest. */
const TMPDIR = join(folder, "tmp");
mkdirSync(TMPDIR);
const caches = {
  TMPDIR,
  npm_config_cache: join(folder, "cache/npm"),
  BUN_INSTALL_CACHE_DIR: join(folder, "cache/bun"),
  DENO_DIR: join(folder, "cache/deno"),
};

/** Users have folders like this. */
const place = (client: string) => join(folder, `${client} für größere Projekte`);

/** A folder that only knows the registry. */
function emptyFolder(client: string): string {
  const cwd = place(client);
  mkdirSync(cwd);
  writeFileSync(join(cwd, ".npmrc"), `registry=${registry!.url}\n`);
  copyFileSync(example, join(cwd, "example.mjs"));
  return cwd;
}

for (const [client, { install, init, manifest }] of Object.entries(CLIENTS)) {
  test(`${client} installs the package, and memhook init writes the launchers`, { skip }, async () => {
    const cwd = emptyFolder(client);
    if (manifest !== undefined) writeFileSync(join(cwd, "package.json"), manifest);
    await runTool(install, cwd, caches);
    assert.equal(await runTool(init, cwd, caches), "wrote memview, memdb, memhook\n");
    assert.match(await runTool(["./memview", "--help"], cwd, caches), /^memview: /);
    assert.match(await runTool(["node_modules/.bin/memdb", "--help"], cwd, caches), /^memdb: /);
  });
}

test("Deno installs the package where nothing asks for node_modules", { skip }, async () => {
  const cwd = emptyFolder("Deno alone");
  await runTool([DENO, "add", "npm:memhook"], cwd, caches);
  assert.ok(!existsSync(join(cwd, "node_modules")));
});

const places: Record<string, Place> = {
  "this checkout": { cwd: folder, launchers: root, example, library: join(root, "build/lib"), env: { TMPDIR } },
};
for (const client of Object.keys(CLIENTS)) {
  const cwd = place(client);
  places[`what ${client} installed`] = { cwd, launchers: cwd, example: "example.mjs", library: cwd, env: caches };
}
places["what Deno installed alone"] = {
  cwd: place("Deno alone"),
  launchers: "npm:memhook",
  example: "example.mjs",
  library: caches.DENO_DIR,
  env: caches,
  only: "Deno",
};

for (const [what, where] of Object.entries(places)) {
  for (const [index, [name]] of runtimes.entries()) {
    if (where.only !== undefined && where.only !== name) continue;
    test(`${name} runs memhook, memview, memdb and the example of ${what}`, { skip }, async (t) => {
      const [, command] = runtimes[index]!;
      const start = (program: string, ...args: string[]) => {
        const [runtime, ...words] = [...command, join(where.launchers, program), ...args];
        const running = new Running(runtime!, words, { cwd: where.cwd, env: where.env, input: "" });
        t.after(() => running.stop());
        return running;
      };
      const ends = async (running: Running) => {
        const { status, signal, stdout, stderr } = await running.finished;
        assert.deepEqual({ status, signal }, { status: 0, signal: null }, stderr);
        return { stdout, stderr };
      };
      const sessions = build("sessions.c");
      const now = `${index}-now.mem`;
      const earlier = `${index}-earlier.mem`;

      const traced = await ends(start("memhook", "run", "-f", now, "--", sessions));
      assert.equal(traced.stdout, "served 1000 sessions\n");
      assert.match(traced.stderr, /exited with code 0, 18192 bytes live in 51 allocations\n/);

      const viewed = await ends(start("memview", "-ac", "--sort", "size", "--format", "json", now));
      assert.equal(viewed.stderr, "");
      assert.deepEqual(
        JSON.parse(viewed.stdout).stacks.map(
          ({ bytes, count, stack }: { bytes: number; count: number; stack: { function: string; line: number }[] }) => [
            bytes,
            count,
            stack[0]!.function,
            stack[0]!.line,
          ],
        ),
        [
          [8192, 1, "open_log", 46],
          [10000, 50, "remember", 22],
        ],
      );

      const library = (await ends(start("memhook", "lib"))).stdout.trimEnd();
      assert.ok(realpathSync(library).startsWith(`${realpathSync(where.library)}/`), library);
      const memdb = start("memdb", "--json", "-p", "0", "-f", earlier);
      const logged = async (event: string) => {
        for (;;) {
          const line = await memdb.line();
          assert.ok(line !== undefined, `memdb ended before '${event}': ${memdb.stderr}`);
          const entry = JSON.parse(line);
          if (entry.event === event) return entry;
        }
      };
      const port = /:(\d+)$/.exec((await logged("listening")).peer)![1]!;
      const env = { LD_PRELOAD: library, MEMHOOK_NET_HOST: "127.0.0.1", MEMHOOK_NET_PORT: port };
      const sender = new Running(sessions, ["500"], { env, input: "" });
      t.after(() => sender.stop());
      assert.equal((await ends(sender)).stdout, "served 500 sessions\n");
      await logged("closed");
      memdb.child.kill("SIGTERM");
      await ends(memdb);

      const [runtime, ...words] = [...command, where.example, earlier, now];
      const comparing = new Running(runtime!, words, { cwd: where.cwd, env: where.env, input: "" });
      t.after(() => comparing.stop());
      assert.deepEqual(await ends(comparing), {
        stdout: [
          "sessions exited, 18192 bytes live",
          "8192 bytes in 1 blocks: open_log at sessions.c:46",
          "10000 bytes in 50 blocks: remember at sessions.c:22",
          "grown: 5000 bytes more in remember",
          "",
        ].join("\n"),
        stderr: "",
      });
    });
  }
}

test("README has the example as it is, in 20 lines", () => {
  const text = readFileSync(join(root, "test/package/example.mjs"), "utf8");
  assert.equal(text.trimEnd().split("\n").length, 20);
  assert.ok(readFileSync(join(root, "README.md"), "utf8").includes(`\n\`\`\`js\n${text}\`\`\`\n`));
});
