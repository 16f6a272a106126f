// The identity of a store's process, from the store's header.

import * as L from "../../asm/layout.js";
import type { Identity } from "./liveness.js";

/** Who a process is, and who its parent was. */
export interface Origin extends Identity {
  parent: number;
}

/** Whether a header page is that of a store. */
export function isStoreHeader(header: DataView): boolean {
  return (
    header.getUint32(L.HEADER_MAGIC, true) === L.STORE_MAGIC_LOW &&
    header.getUint32(L.HEADER_MAGIC + 4, true) === L.STORE_MAGIC_HIGH
  );
}

/** The identity in a header page. */
export function identityOf(header: DataView): Origin {
  return {
    pid: header.getUint32(L.HEADER_PID, true),
    parent: header.getUint32(L.HEADER_PARENT_PID, true),
    start: header.getBigUint64(L.HEADER_PROCESS_START, true),
    namespace: header.getBigUint64(L.HEADER_PID_NAMESPACE, true),
    bootId: new Uint8Array(header.buffer, header.byteOffset + L.HEADER_BOOT_ID, 16).slice(),
  };
}

/** Two headers of one process say the same here; so does a process before and after an exec. */
export function identityKey({ pid, start, ...where }: Identity): string {
  return `${pid} ${start} ${machineKey(where)}`;
}

/** Processes that see each other say the same here. */
export function machineKey({ namespace, bootId }: Pick<Identity, "namespace" | "bootId">): string {
  return `${namespace} ${Buffer.from(bootId).toString("hex")}`;
}
