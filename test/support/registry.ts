// A package registry on loopback that serves memhook, as packed by `npm pack`, and its dependencies, as installed here.
// So `npm install memhook` and its like are tested as users type them, with no network and with no cache other than the
// test's own.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { root, runTool } from "./run.js";

export interface Packed {
  name: string;
  version: string;
  /** Of the tarball, in bytes. */
  size: number;
  filename: string;
  integrity: string;
  files: { path: string; size: number; mode: number }[];
}

interface Manifest {
  name: string;
  version: string;
  dependencies?: Record<string, string>;
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** The folders of the package and of everything that it depends on. */
function closure(): string[] {
  const folders = [root];
  for (const folder of folders) {
    for (const name of Object.keys(manifestOf(folder).dependencies ?? {})) {
      const dependency = join(root, "node_modules", name);
      assert.ok(existsSync(dependency), `${name} is not installed`);
      if (!folders.includes(dependency)) folders.push(dependency);
    }
  }
  return folders;
}

/** Packs memhook and its dependencies into a folder, memhook first. What was built is packed: nothing is built anew. */
export async function pack(folder: string): Promise<Packed[]> {
  const options = ["--json", "--ignore-scripts", "--pack-destination", folder];
  return JSON.parse(await runTool(["npm", "pack", ...options, ...closure()], folder));
}

/** Serves packed packages, until close(). */
export async function serveRegistry(folder: string, packages: readonly Packed[]) {
  const manifests = new Map(closure().map((path) => [manifestOf(path).name, manifestOf(path)]));
  const server = createServer(({ url = "" }, response) => {
    const { port } = server.address() as AddressInfo;
    const [, tarball] = /^\/-\/([\w.@-]+\.tgz)$/.exec(url) ?? [];
    const asked = packages.find(({ name, filename }) => filename === tarball || `/${name}` === decodeURIComponent(url));
    if (asked === undefined) {
      response.writeHead(404).end();
    } else if (tarball !== undefined) {
      response.end(readFileSync(join(folder, tarball)));
    } else {
      const { name, version, filename, integrity } = asked;
      const dist = { tarball: `http://127.0.0.1:${port}/-/${filename}`, integrity };
      const versions = { [version]: { ...manifests.get(name), dist } };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ name, "dist-tags": { latest: version }, versions }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
