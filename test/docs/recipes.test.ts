// The recipes of docs/services.md, executed as they stand there: units and drop-ins, Dockerfile lines, Kubernetes'
// environment, memdb as a service, a store that is read without its program. Only the places are others: each path of
// the page stands for one in a folder of the test's.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { parse } from "yaml";
import { SETTINGS } from "../../cli/environment.js";
import { fencesWith, shellFunctions } from "../support/docs.js";
import { build, compiler, library, noCompiler, Running, runProgram, which } from "../support/programs.js";
import { commandLine, root, run, temporaryFolder } from "../support/run.js";

const PAGE = "docs/services.md";
const skip = noCompiler;
const folder = temporaryFolder();
const one = (...words: string[]) => {
  const [fence, ...more] = fencesWith(PAGE, ...words);
  assert.ok(fence && more.length === 0, `one fence of ${words.join(" ")} in ${PAGE}`);
  return fence.text;
};

/** A root of its own for a recipe: the paths of the page, and where they are here. */
function place(name: string): { inside(path: string): string; mapped(text: string): string } {
  const here = join(folder, name);
  const inside = (path: string) => join(here, path);
  for (const path of ["/usr/local/lib", "/usr/local/bin", "/run/memdb", "/var/lib/memdb"])
    mkdirSync(inside(path), { recursive: true });
  return { inside, mapped: (text) => text.replace(/\/(usr\/local|var\/lib|run)(?=\/)/g, (path) => inside(path)) };
}

/** The variables of `Environment=` and `ENV` lines, as name=value. */
const variablesIn = (text: string, keyword: RegExp) =>
  text
    .split("\n")
    .filter((line) => keyword.test(line))
    .flatMap((line) => line.replace(keyword, "").split(" "));

const toEnvironment = (assignments: readonly string[]) =>
  Object.fromEntries(assignments.map((each) => each.split(/=(.*)/).slice(0, 2) as [string, string]));

/** obedient.c allocates 12345 bytes and ends; the store says so, with the function's name. */
const OBEDIENT = ["leak", "12345"];
function assertRecorded(store: string) {
  const { stdout, stderr } = run("memview", ["-ac", "--function", "^leak$", store]);
  assert.match(`${stdout}${stderr}`, /^size=12345, times=1\n {4}leak at .*obedient\.c:\d+\n {4}main /);
}

const noVerify = which("systemd-analyze") ? false : "no systemd-analyze here";
test("units and drop-ins are what systemd takes", { skip: noVerify }, () => {
  const units = join(folder, "units");
  mkdirSync(join(units, "app.service.d"), { recursive: true });
  writeFileSync(join(units, "app.service"), `[Service]\nExecStart=${process.execPath}\n`);
  const memdb = one("ini", "unit");
  assert.match(memdb, /^ExecStart=\/usr\/local\/bin\/memdb /m);
  writeFileSync(join(units, "memdb.service"), memdb.replace("/usr/local/bin/memdb", process.execPath));
  const verify = (unit: string) => {
    const { stdout, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", unit], {
      cwd: units,
      encoding: "utf8",
    });
    return stdout + stderr;
  };
  for (const { text } of fencesWith(PAGE, "ini", "drop-in")) {
    writeFileSync(join(units, "app.service.d/memhook.conf"), text);
    assert.equal(verify("./app.service"), "");
  }
  assert.equal(verify("./memdb.service"), "");
  // It would have said so.
  writeFileSync(join(units, "app.service.d/memhook.conf"), "[Service]\nEnvironments=A=1\n");
  assert.match(verify("./app.service"), /Unknown key.*Environments/);
});

test("a service with the drop-in has a store", { skip }, async () => {
  const { inside, mapped } = place("service");
  const [text] = fencesWith(PAGE, "ini", "drop-in").map((fence) => fence.text);
  const states = /^StateDirectory=(\w+)$/m.exec(text!)?.[1];
  mkdirSync(inside(`/var/lib/${states}`));
  copyFileSync(library, inside("/usr/local/lib/libmemhook.so"));
  const env = toEnvironment(variablesIn(mapped(text!), /^Environment=/));
  assert.equal((await runProgram(build("obedient.c"), OBEDIENT, { env })).stderr, "");
  assertRecorded(inside("/var/lib/memhook/app.mem"));
});

test("memdb as a service, and a service that sends to it", { skip }, async (t) => {
  const { inside, mapped } = place("memdb");
  const unit = mapped(one("ini", "unit"));
  const [program, ...args] = /^ExecStart=(.*)$/m.exec(unit)![1]!.split(" ");
  assert.equal(program, inside("/usr/local/bin/memdb"));
  copyFileSync(library, inside("/usr/local/lib/libmemhook.so"));
  const [command, ...before] = commandLine("memdb");
  const memdb = new Running(command!, [...before, ...args]);
  t.after(() => memdb.stop());
  assert.equal(JSON.parse((await memdb.line())!).event, "listening");
  const dropIn = fencesWith(PAGE, "ini", "drop-in")[1]!.text;
  const env = toEnvironment(variablesIn(mapped(dropIn), /^Environment=/));
  const { stderr } = await runProgram(build("obedient.c"), OBEDIENT, { env });
  assert.equal(stderr, "");
  let line = await memdb.line();
  while (line !== undefined && JSON.parse(line).event !== "closed") line = await memdb.line();
  assert.ok(line, memdb.stderr);
  const status = run("memdb", ["status", "--unix", inside("/run/memdb/socket"), "--format", "json"]);
  assert.equal(JSON.parse(status.stdout).accepted, 1);
  process.kill(memdb.pid, "SIGTERM");
  assert.equal((await memdb.finished).status, 0);
  assertRecorded(inside("/var/lib/memdb/app.mem"));
});

/** Does what `docker build` and `docker run` do with these lines, but in a folder. */
async function asContainer(name: string, dockerfile: string, app: string, libraryThere: string) {
  const { inside, mapped } = place(name);
  const context = join(folder, `${name}-context`);
  mkdirSync(context);
  copyFileSync(app, join(context, "app"));
  copyFileSync(libraryThere, join(context, "libmemhook.so"));
  let env: Record<string, string> = {};
  let command: string[] = [];
  for (const line of dockerfile.trimEnd().split("\n")) {
    const [, instruction, rest = ""] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    if (instruction === "COPY") {
      const [from, to] = rest.split(" ");
      copyFileSync(join(context, from!), inside(to!.endsWith("/") ? `${to}${from}` : to!));
    } else if (instruction === "RUN") {
      const { status, stderr } = await runProgram("sh", ["-ec", mapped(rest)], { env });
      assert.deepEqual([status, stderr], [0, ""], rest);
    } else if (instruction === "ENV") env = { ...env, ...toEnvironment(mapped(rest).split(" ")) };
    else if (instruction === "CMD") command = JSON.parse(mapped(rest));
    else assert.equal(instruction, "FROM", line);
  }
  const { status, stderr } = await runProgram(command[0]!, [...command.slice(1), ...OBEDIENT], { env });
  assert.deepEqual([status, stderr], [0, ""]);
  assertRecorded(inside("/var/lib/memhook/app.mem"));
}

test("the lines of a Dockerfile with glibc", { skip }, async () => {
  await asContainer("glibc", one("dockerfile", "glibc"), build("obedient.c"), library);
});

const machine = process.arch === "arm64" ? "aarch64" : "x86_64";
const forMusl = join(root, `build/lib/${machine}-musl/libmemhook.so`);
const noMusl = noCompiler
  ? noCompiler
  : !existsSync(`/lib/ld-musl-${machine}.so.1`)
    ? "no musl here to run a program with"
    : !existsSync(forMusl)
      ? "no library for musl: ./build.sh targets"
      : false;
test("the lines of a Dockerfile with musl", { skip: noMusl }, async () => {
  const app = build("obedient.c", {
    compiler: compiler("zig"),
    flags: ["-target", `${machine}-linux-musl`, "-dynamic"],
  });
  await asContainer("musl", one("dockerfile", "musl"), app, forMusl);
});

interface Pod {
  spec: {
    containers: {
      command: string[];
      env: { name: string; value: string }[];
      volumeMounts: { name: string; mountPath: string }[];
    }[];
    volumes: { name: string }[];
  };
}

test("Kubernetes' environment: known variables with values that the library takes", { skip }, async () => {
  const { inside, mapped } = place("kubernetes");
  mkdirSync(inside("/var/lib/memhook"), { recursive: true });
  copyFileSync(library, inside("/usr/local/lib/libmemhook.so"));
  copyFileSync(build("obedient.c"), inside("/usr/local/bin/app"));
  const known = SETTINGS.flatMap(({ names }) => names);
  const pods = fencesWith(PAGE, "yaml")
    .map(({ text }) => parse(text) as Partial<Pod>)
    .filter((each): each is Pod => each.spec !== undefined);
  assert.equal(pods.length, 2);
  for (const { spec } of pods) {
    const [container] = spec.containers;
    const volumes = spec.volumes.map(({ name }) => name);
    for (const { name } of container!.volumeMounts) assert.ok(volumes.includes(name), name);
    for (const { name, value } of container!.env) {
      assert.ok(known.includes(name), name);
      assert.equal(typeof value, "string", `${name}: Kubernetes takes strings only`);
      const mount = container!.volumeMounts.find(({ mountPath }) => value.startsWith(`${mountPath}/`));
      assert.ok(mount || !value.startsWith("/"), `${value} is in a volume`);
    }
    const env = Object.fromEntries(container!.env.map(({ name, value }) => [name, mapped(value)]));
    const [command, ...args] = container!.command.map(mapped);
    // Nothing of that name is here: the program is not held up, and says nothing.
    if (env.MEMHOOK_NET_HOST) env.MEMHOOK_NET_HOST = "127.0.0.1";
    const { status, stderr } = await runProgram(command!, [...args, ...OBEDIENT], { env });
    assert.deepEqual([status, stderr], [0, ""]);
  }
  assertRecorded(inside("/var/lib/memhook/app.mem"));
});

const noBinutils = noCompiler || ["readelf", "objcopy", "strip"].find((tool) => !which(tool));
test("a store is copied to where its program is not, and has names and lines", {
  skip: noBinutils ? `${noBinutils} is not here` : false,
}, async () => {
  const [copyLibrary, atBuild, later] = fencesWith(PAGE, "sh", "run").map(({ text }) => text);
  const { inside, mapped } = place("copied");
  const server = join(folder, "server");
  const desk = join(folder, "desk");
  for (const each of [server, desk, inside("/var/lib/memhook")]) mkdirSync(each, { recursive: true });
  const script = (text: string, cwd: string, more = "") => {
    const finished = spawnSync("bash", ["-euc", shellFunctions() + more + mapped(text)], {
      cwd,
      encoding: "utf8",
      env: { ...process.env, TZ: "UTC", NO_COLOR: "1", DEBUGINFOD_URLS: "", XDG_CACHE_HOME: folder },
    });
    assert.equal(finished.status, 0, finished.stderr);
    return finished.stdout;
  };
  copyFileSync(build("obedient.c", { flags: ["-Wl,--build-id"] }), join(server, "app"));
  script(atBuild!, server);
  script(copyLibrary!, server);
  const env = { LD_PRELOAD: join(server, "libmemhook.so"), MEMHOOK_FILE: inside("/var/lib/memhook/app.mem") };
  assert.equal((await runProgram(join(server, "app"), OBEDIENT, { env })).status, 0);
  // What is left of it: its debug information, on another machine.
  rmSync(join(server, "app"));
  spawnSync("mv", [join(server, "debug"), desk]);
  const copies = 'scp() { cp "$(echo "$1" | cut -d: -f2-)" "$2"; }\n';
  const stdout = script(later!, desk, copies);
  assert.match(stdout, /^size=12345, times=1\n {4}leak at .*obedient\.c:\d+\n {4}main at .*obedient\.c:\d+\n/m);
  // Without it there is no name, and no wrong one.
  rmSync(join(desk, "debug"), { recursive: true });
  assert.match(script(later!, desk, copies), /^size=12345, times=1\n {4}.*\/app\+0x[0-9a-f]+\n/m);
});
