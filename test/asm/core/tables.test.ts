// Tables that do not fit in memory: one stack through more blocks than are kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as L from "../../../asm/layout.js";
import type { ByteSource } from "../../../runtime/host/host.js";
import { openSource } from "../../../runtime/stores/store.js";
import { StoreBuilder } from "../../support/store-builder.js";
import { coreBuilds, memorySource } from "../../support/stores.js";

const BLOCKS = 600;
const PER_BLOCK = L.BLOCK_BYTES / L.NODE_BYTES;

/** Nodes in 600 blocks, each one's caller a block before it; the store is made while it is read. */
function tallStore(): ByteSource {
  const builder = new StoreBuilder({ depthLimit: 4096 });
  const frame = builder.frame(0, 0x1234n);
  builder.stack([frame]);
  const image = builder.image();
  const view = new DataView(image.buffer);
  const blocks = view.getUint32(L.HEADER_BLOCK_COUNT, true);
  const nodes = L.HEADER_ARRAYS + L.KIND_NODES * L.ARRAY_BYTES;
  for (const field of [L.ARRAY_COUNT, L.ARRAY_COMMITTED]) view.setUint32(nodes + field, BLOCKS * PER_BLOCK, true);
  view.setUint32(nodes + L.ARRAY_BLOCKS, BLOCKS, true);
  view.setUint32(L.HEADER_BLOCK_COUNT, blocks + BLOCKS - 1, true);
  for (let block = 1; block < blocks; block++) {
    const entry = view.getUint32(L.BLOCK_TABLE_OFFSET + 4 * block, true);
    // Stack 1 is the last node.
    if (entry >>> 24 === L.KIND_STACKS) {
      view.setUint32(block * L.BLOCK_BYTES + L.STACK_BYTES + L.STACK_NODE, BLOCKS * PER_BLOCK - 1, true);
    }
  }
  for (let ordinal = 1; ordinal < BLOCKS; ordinal++) {
    const at = L.BLOCK_TABLE_OFFSET + 4 * (blocks + ordinal - 1);
    view.setUint32(at, (L.KIND_NODES << L.BLOCK_ENTRY_KIND_SHIFT) | ordinal, true);
  }
  const first = memorySource(image);
  return {
    ...first,
    size: () => (blocks + BLOCKS) * L.BLOCK_BYTES,
    read(target, position) {
      if (position < blocks * L.BLOCK_BYTES) return first.read(target, position);
      const ordinal = position / L.BLOCK_BYTES - blocks + 1;
      const last = new DataView(target.buffer, target.byteOffset + target.length - L.NODE_BYTES);
      last.setUint32(L.NODE_PARENT, ordinal === 1 ? 0 : ordinal * PER_BLOCK - 1, true);
      last.setUint32(L.NODE_FRAME, frame, true);
      return target.length;
    },
  };
}

for (const [build, module] of Object.entries(coreBuilds)) {
  test(`a stack through ${BLOCKS} blocks (${build})`, () => {
    const store = openSource(tallStore(), "tall.store", module);
    // Twice: the second time the blocks that were kept are not the ones it begins with.
    for (let round = 0; round < 2; round++) assert.equal(store.frames(1).frames.length, BLOCKS - 1);
    assert.equal(store.frames(1).frames[0]?.offset, 0x1234n);
  });
}
