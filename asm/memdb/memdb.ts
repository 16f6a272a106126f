// build/memdb.wasm: what memdb does with the bytes of one session. An instance is a session, and its memory has the
// session's store image. runtime/memdb/wireimage.ts is the other side of this interface.

import { start } from "./decode";
import { create } from "./image";

export { feed, frameType, inputAt, inputRoom, isLast, sequence } from "./decode";
export { full } from "./elements";
export {
  blockCount,
  failRun,
  IMAGE,
  nextRun,
  restart,
  rewind,
  runOffset,
  sealRecords,
  sealTables,
  unseal,
} from "./image";
export { liveBytes, liveCount, received } from "./records";

/**
 * First of all: an empty store that may take `bytes`. False if there is no memory for it. Again: for another session.
 */
export function open(bytes: f64): bool {
  if (!create(bytes)) return false;
  start(bytes);
  return true;
}
