// The names in libraries of this system, next to those of nm, an independent reader. bench/symbols looks at more.

import assert from "node:assert";
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { which } from "../../support/compilers.js";
import { compareNames } from "../../support/nm.js";

const FOLDERS = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
const LIBRARIES = 5;

const skip = which("nm") === undefined && "nm is missing: Debian's package binutils";

test("names in libraries of the system", { skip }, async () => {
  const paths = FOLDERS.flatMap((folder) => {
    try {
      return readdirSync(folder).map((name) => join(folder, name));
    } catch {
      return [];
    }
  }).filter((path) => /\.so(\.[\d.]+)?$/.test(path) && lstatSync(path).isFile());
  let looked = 0;
  let addresses = 0;
  for (const path of paths) {
    if (looked === LIBRARIES) break;
    const { compared, different } = await compareNames(path);
    if (compared > 0) looked++;
    addresses += compared;
    assert.deepStrictEqual(different.slice(0, 40), []);
  }
  assert.ok(addresses > 1000);
});
