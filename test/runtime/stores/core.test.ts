// The border to core.wasm: no imports, traps as errors, and views that survive growing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreError } from "../../../runtime/host/errors.js";
import { Core, releaseCore } from "../../../runtime/stores/core.js";
import { coreBuilds } from "../../support/stores.js";

test("the published build imports nothing", () => {
  // An instance without any imports would fail otherwise.
  assert.ok(new WebAssembly.Instance(releaseCore()).exports.memory);
});

test("a trap becomes a StoreError that names the store", () => {
  // Settling more records than a piece has is a mistake of the host, which only assertions notice.
  const core = new Core(coreBuilds.debug, "/some/store");
  assert.throws(() => core.call.settle(1_000_000), {
    name: "StoreError",
    message: /^\/some\/store: is damaged \(an assertion failed\); record the program again$/,
  });
  // Reading behind the end of memory.
  const release = new Core(coreBuilds.release, "/some/store");
  assert.throws(() => release.call.scan(0, 0x7fffff, 1), StoreError);
});

test("views follow the memory when it grows", () => {
  const core = new Core(coreBuilds.release, "a.store");
  const { HEADER } = core.constant;
  const before = core.bytes(HEADER, 4);
  before.set([1, 2, 3, 4]);
  core.call.beginEntries(0xffffffff);
  // Sixteen MiB of ids are more than the memory has at first.
  const address = core.address(core.call.listStackIds()) + 0;
  assert.ok(address > 0);
  core.call.beginScan(core.constant.COLLECT_ENTRIES, core.constant.ORDER_TIME, 0);
  const piece = core.bytes(core.constant.PIECE, 32768 * 32);
  for (let i = 0; i < 32768; i++) piece[i * 32] = 1;
  const size = core.view.byteLength;
  core.checked(core.call.scan(0, 32768, 1));
  assert.ok(core.view.byteLength > size);
  assert.equal(before.length, 0);
  assert.deepEqual([...core.bytes(HEADER, 4)], [1, 2, 3, 4]);
  assert.equal(core.view.getUint32(HEADER, true), 0x04030201);
});

test("addresses beyond 2 GiB are no negative numbers", () => {
  const core = new Core(coreBuilds.release, "a.store");
  assert.equal(core.address(-16), 0xfffffff0);
});
