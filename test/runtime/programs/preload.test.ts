// Names for the library that LD_PRELOAD can hold.

import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { preloadAlways, preloadOnce } from "../../../runtime/programs/preload.js";
import { temporaryFolder } from "../../support/run.js";

const folder = temporaryFolder();

/** With TMPDIR set to a folder of this name. */
function within<T>(name: string, work: (place: string) => T): T {
  const before = process.env.TMPDIR;
  const place = join(folder, name);
  mkdirSync(place, { recursive: true });
  process.env.TMPDIR = place;
  try {
    return work(place);
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
}

const mode = (path: string) => (lstatSync(path).mode & 0o777).toString(8);

test("a path that LD_PRELOAD can hold is used as it is", () => {
  within("untouched", (place) => {
    for (const path of ["/opt/memhook/libmemhook.so", "/opt/jörg/プロジェクト/libmemhook.so"]) {
      const { path: used, remove } = preloadOnce(path);
      remove();
      assert.deepEqual([used, preloadAlways(path)], [path, path]);
    }
    assert.deepEqual(readdirSync(place), []);
  });
});

for (const library of [
  "/opt/my tools/libmemhook.so",
  "/opt/a:b/libmemhook.so",
  "/opt/$LIB/libmemhook.so",
  "/opt/tab\t/libmemhook.so",
]) {
  test(`${JSON.stringify(library)} gets another name`, () => {
    within("links", (place) => {
      const { path, remove } = preloadOnce(library);
      assert.equal(readlinkSync(path), library);
      assert.deepEqual([dirname(dirname(path)), mode(dirname(path))], [place, "755"]);
      remove();
      assert.deepEqual(readdirSync(place), []);

      const lasting = preloadAlways(library);
      assert.equal(readlinkSync(lasting), library);
      assert.equal(dirname(dirname(lasting)), place);
      assert.equal(preloadAlways(library), lasting, "the same again");
      assert.deepEqual(readdirSync(dirname(lasting)), ["libmemhook.so"]);
      rmSync(dirname(lasting), { recursive: true });
    });
  });
}

test("each library has a link of its own", () => {
  within("several", () => {
    assert.notEqual(preloadAlways("/a b/gnu/libmemhook.so"), preloadAlways("/a b/musl/libmemhook.so"));
  });
});

test("a folder for temporary files that LD_PRELOAD cannot hold either", () => {
  within("with space", (place) => {
    const { path, remove } = preloadOnce(join(place, "libmemhook.so"));
    assert.match(path, /^\/tmp\/memhook-\w+\/libmemhook\.so$/);
    remove();
    assert.ok(!existsSync(dirname(path)));
  });
});

test("a link that leads elsewhere is replaced", () => {
  within("elsewhere", () => {
    const path = preloadAlways("/a b/libmemhook.so");
    rmSync(path);
    symlinkSync("/tmp/elsewhere.so", path);
    assert.equal(preloadAlways("/a b/libmemhook.so"), path);
    assert.equal(readlinkSync(path), "/a b/libmemhook.so");
    rmSync(path);
    writeFileSync(path, "a file");
    assert.equal(readlinkSync(preloadAlways("/a b/libmemhook.so")), "/a b/libmemhook.so");
  });
});

test("what others could write to is refused", () => {
  within("others", (place) => {
    const folder = dirname(preloadAlways("/a b/libmemhook.so"));
    const refusal = {
      name: "LaunchError",
      message: `${folder} is not a folder that only you can write to: remove it, or set TMPDIR`,
    };
    chmodSync(folder, 0o777);
    assert.throws(() => preloadAlways("/a b/libmemhook.so"), refusal);
    rmSync(folder, { recursive: true });
    mkdirSync(join(place, "theirs"));
    symlinkSync(join(place, "theirs"), folder);
    assert.throws(() => preloadAlways("/a b/libmemhook.so"), refusal);
    rmSync(folder);
    writeFileSync(folder, "");
    assert.throws(() => preloadAlways("/a b/libmemhook.so"), refusal);
  });
});
