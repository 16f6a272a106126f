// Debug files from debuginfod servers: asked by build id, kept in the cache, and not taken for what they are not.

import assert from "node:assert";
import { existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { Symbolizer } from "../../../runtime/symbols/symbolize.js";
import { elf } from "./symbolize-elf.js";
import { BUILD_ID, folder, HEX_ID, look, MAIN, moduleOf, OTHER_ID, stripped, write } from "./symbolize-look.js";

/** Serves on loopback while `work` runs. */
async function serving(listener: RequestListener, work: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

let caches = 0;

test("asks debuginfod, keeps the file, and asks no more", async () => {
  const path = write(stripped({ buildId: BUILD_ID }));
  const info = moduleOf(path, BUILD_ID);
  const asked: (string | undefined)[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(request.url);
    response.end(elf({ symbols: [MAIN], buildId: BUILD_ID }));
  };
  await serving(listener, async (url) => {
    const cache = join(folder, `cache${caches++}`);
    const environment = { DEBUGINFOD_URLS: `${url}/ ${url}/second`, XDG_CACHE_HOME: cache };
    for (let i = 0; i < 2; i++) {
      assert.deepStrictEqual(await look(info, [0x1100], { environment }), { names: ["main"], notes: [] });
      assert.deepStrictEqual(asked, [`/buildid/${HEX_ID}/debuginfo`]);
    }
    assert.ok(statSync(join(cache, "debuginfod_client", HEX_ID, "debuginfo")).size > 0);
    // Names only: a quick look does not wait for the network.
    const other = { DEBUGINFOD_URLS: url, DEBUGINFOD_CACHE_PATH: join(folder, `cache${caches++}`) };
    assert.deepStrictEqual((await look(info, [0x1100], { environment: other, lines: false })).names, [null]);
    assert.strictEqual(asked.length, 1);
  });
});

test("goes on to the next server, and remembers for ten minutes that none has the file", async () => {
  const info = moduleOf(write(stripped({ buildId: BUILD_ID })), BUILD_ID);
  const asked: (string | undefined)[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(request.url);
    response.writeHead(404).end("not found");
  };
  await serving(listener, async (url) => {
    const cache = join(folder, `cache${caches++}`);
    const environment = { DEBUGINFOD_URLS: `${url}/a ${url}/b`, DEBUGINFOD_CACHE_PATH: cache };
    for (let i = 0; i < 2; i++) {
      assert.deepStrictEqual(await look(info, [0x1100], { environment }), { names: [null], notes: [] });
      assert.deepStrictEqual(asked, [`/a/buildid/${HEX_ID}/debuginfo`, `/b/buildid/${HEX_ID}/debuginfo`]);
    }
    // Long ago; and in the future, because the clock was put back since.
    for (const [times, seconds] of [-700, 3600].entries()) {
      const missed = Date.now() / 1000 + seconds;
      utimesSync(join(cache, HEX_ID, "debuginfo"), missed, missed);
      await look(info, [0x1100], { environment });
      assert.strictEqual(asked.length, 4 + 2 * times);
    }
  });
});

test("what a debuginfod server answers wrongly does not hide the next one that has the file", async () => {
  const right = elf({ symbols: [MAIN], buildId: BUILD_ID });
  const liars: Record<string, RequestListener> = {
    page: (_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>Please log in</html>"),
    nothing: (_, response) => response.end(),
    half: (_, response) => response.end(right.subarray(0, right.length / 2)),
    build: (_, response) => response.end(elf({ symbols: [MAIN], buildId: OTHER_ID })),
    nameless: (_, response) => response.end(elf({ symbols: [MAIN] })),
    failure: (_, response) => response.writeHead(503).end("busy"),
    login: (_, response) => response.writeHead(302, { location: "/page/login" }).end(),
  };
  const listener: RequestListener = (request, response) => {
    const name = request.url!.split("/")[1]!;
    (liars[name] ?? ((_, good) => good.end(right)))(request, response);
  };
  const info = moduleOf(write(stripped({ buildId: BUILD_ID })), BUILD_ID);
  await serving(listener, async (url) => {
    for (const name of [...Object.keys(liars), "folder", "cache"]) {
      const cache = join(folder, `cache${caches++}`);
      const environment = { DEBUGINFOD_URLS: `${url}/${name} ${url}/good`, DEBUGINFOD_CACHE_PATH: cache };
      const wrong = elf({ symbols: [MAIN], buildId: OTHER_ID });
      if (name === "folder") {
        write(wrong, `liar/buildid/${HEX_ID}/debuginfo`);
        environment.DEBUGINFOD_URLS = `${pathToFileURL(join(folder, "liar")).href} ${url}/good`;
      }
      if (name === "cache") write(wrong, `${cache.slice(folder.length)}/${HEX_ID}/debuginfo`);
      const { names, notes } = await look(info, [0x1100], { environment });
      assert.deepStrictEqual(names, ["main"], `${name}: ${notes}`);
      assert.deepStrictEqual(readFileSync(join(cache, HEX_ID, "debuginfo")), Buffer.from(right), name);
      assert.deepStrictEqual(readdirSync(join(cache, HEX_ID)), ["debuginfo"]);
    }
  });
});

test("reads DEBUGINFOD_URLS and DEBUGINFOD_TIMEOUT as elfutils does", async () => {
  const info = moduleOf(write(stripped({ buildId: BUILD_ID })), BUILD_ID);
  const asked: (string | undefined)[] = [];
  const listener: RequestListener = (request, response) => {
    asked.push(request.url);
    if (request.url!.startsWith("/none")) response.writeHead(404).end();
    else response.end(elf({ symbols: [MAIN], buildId: BUILD_ID }));
  };
  await serving(listener, async (url) => {
    for (const DEBUGINFOD_TIMEOUT of ["", "0", "90", "1e12", "99999999999", "soon", "-1"]) {
      const DEBUGINFOD_CACHE_PATH = join(folder, `cache${caches++}`);
      const DEBUGINFOD_URLS = `ima:enforcing ${url} ima:ignore`;
      const environment = { DEBUGINFOD_URLS, DEBUGINFOD_CACHE_PATH, DEBUGINFOD_TIMEOUT };
      const { names, notes } = await look(info, [0x1100], { environment });
      assert.deepStrictEqual({ names, notes }, { names: ["main"], notes: [] }, DEBUGINFOD_TIMEOUT);
    }
    // Policies do not keep a miss from being remembered.
    const DEBUGINFOD_CACHE_PATH = join(folder, `cache${caches++}`);
    asked.length = 0;
    for (let i = 0; i < 2; i++) {
      const environment = { DEBUGINFOD_URLS: `ima:permissive ${url}/none`, DEBUGINFOD_CACHE_PATH };
      assert.deepStrictEqual((await look(info, [0x1100], { environment })).notes, []);
      assert.strictEqual(asked.length, 1);
    }
  });
});

test("a folder is a debuginfod server too, and its files stay", async () => {
  const served = `folder with spaces/buildid/${HEX_ID}/debuginfo`;
  const url = pathToFileURL(join(folder, "folder with spaces")).href;
  const environment = {
    DEBUGINFOD_URLS: `${url}/none ${url}/`,
    DEBUGINFOD_CACHE_PATH: join(folder, `cache${caches++}`),
  };
  // The program itself need not be here.
  const info = moduleOf("/nowhere/program", BUILD_ID);
  assert.deepStrictEqual((await look(info, [0x1100], { environment })).names, [null]);
  // That it was not there is not remembered.
  const path = write(elf({ symbols: [MAIN], buildId: BUILD_ID }), served);
  assert.deepStrictEqual((await look(info, [0x1100], { environment })).names, ["main"]);
  writeFileSync(path, elf({ buildId: OTHER_ID }));
  const { names, notes } = await look(info, [0x1100], { environment });
  assert.deepStrictEqual(names, [null]);
  assert.match(notes.join("\n"), /the file for abcdef.* is of another build/);
  assert.ok(existsSync(path));
  const wrong = { ...environment, DEBUGINFOD_URLS: "file://elsewhere/folder" };
  assert.match((await look(info, [0x1100], { environment: wrong })).notes.join("\n"), /^debuginfod file:.*: .+$/m);
});

test("says what is wrong with a debuginfod server, once, and does not ask it again", async () => {
  let asked = 0;
  const answers: Record<string, [RequestListener, RegExp]> = {
    broken: [(_, response) => response.writeHead(500).end(), /^debuginfod .*: it answered 500$/],
    silent: [() => {}, /^debuginfod .*: no answer within 0.3 s$/],
    slow: [
      (_, response) => {
        response.writeHead(200, { "content-length": 1000 });
        response.write("a");
      },
      /^debuginfod .*: no answer within 0.3 s$/,
    ],
    cut: [
      (_, response) => {
        response.writeHead(200, { "content-length": 1000 });
        response.write("a", () => response.destroy());
      },
      /^debuginfod .*: .+$/,
    ],
    wrong: [
      (_, response) => response.end(elf({ buildId: OTHER_ID })),
      /^debuginfod: the file for abcdef.* is of another build$/,
    ],
    garbage: [
      (_, response) => response.end("<html>"),
      /^debuginfod: the file for abcdef.* cannot be read: not an ELF file that can be read$/,
    ],
    nothing: [
      (_, response) => response.end(),
      /^debuginfod: the file for abcdef.* cannot be read: not an ELF file that can be read$/,
    ],
    nameless: [(_, response) => response.end(elf({})), /^debuginfod: the file for abcdef.* has no build id$/],
  };
  for (const [name, [listener, expected]] of Object.entries(answers)) {
    asked = 0;
    await serving(
      (request, response) => {
        asked++;
        listener(request, response);
      },
      async (url) => {
        const cache = join(folder, `cache${caches++}`);
        const environment = { DEBUGINFOD_URLS: url, DEBUGINFOD_TIMEOUT: "0.3", DEBUGINFOD_CACHE_PATH: cache };
        const symbolizer = new Symbolizer({ debugFolders: [], environment });
        const modules = [BUILD_ID, Uint8Array.of(...BUILD_ID, 9)].map((id) =>
          moduleOf(write(stripped({ buildId: id })), id),
        );
        for (const module of modules) {
          const [locations] = await symbolizer.symbolize([{ module, offset: 0x1100n, exact: true }]);
          assert.strictEqual(locations?.[0]?.function, null, name);
        }
        symbolizer.close();
        // What answers each question wrongly is told for each.
        if (!["wrong", "garbage", "nothing", "nameless"].includes(name)) {
          assert.strictEqual(symbolizer.notes.length, 1, `${name}: ${symbolizer.notes}`);
          assert.strictEqual(asked, 1, name);
        }
        for (const note of symbolizer.notes) assert.match(note, expected, name);
        assert.ok(!existsSync(join(cache, HEX_ID, "debuginfo")), `${name}: nothing wrong is kept`);
      },
    );
  }
  // Nobody there at all.
  const environment = {
    DEBUGINFOD_URLS: "http://127.0.0.1:1",
    DEBUGINFOD_CACHE_PATH: join(folder, `cache${caches++}`),
  };
  const info = moduleOf(write(stripped({ buildId: BUILD_ID })), BUILD_ID);
  assert.strictEqual((await look(info, [0x1100], { environment })).notes.length, 1);
});
