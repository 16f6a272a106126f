// Who may do what at memdb, by what is known of the peer: the user of a program on this machine, or the token.
//
//     memdb's own user, root, a holder of the token     all
//     other users of this machine                        only at a memdb of root's: stores of their own, nobody else's
//     the rest                                           only with --insecure: stores
//
// Without this, every user of the machine could speak for every process on it, because 127.0.0.1 is open to all.

import * as L from "../../asm/layout.js";
import { textAt } from "../host/host.js";
import { type Identity, liveness, ownIdentity } from "../stores/liveness.js";
import { WireError } from "./wire.js";

export interface Guest {
  /** Sessions of one process replace each other if they have one owner. */
  readonly owner: string;
  /** The user whose processes it may speak for; undefined if that is not known. */
  readonly user: number | undefined;
  /** May ask for the state of memdb. */
  readonly trusted: boolean;
  /** A user of this machine that memdb does not work for: what others have stored is not its to replace. */
  readonly stranger: boolean;
}

export interface Known {
  /** Came by the Unix socket, which only memdb's user and root can open. */
  unix: boolean;
  user: number | undefined;
  /** Has proved that it has the token. */
  token: boolean;
  insecure: boolean;
}

/** @throws WireError for who is nobody here. */
export function guestOf({ unix, user, token, insecure }: Known, self = process.geteuid!()): Guest {
  const rest = { user, trusted: true, stranger: false };
  if (unix) return { ...rest, user: undefined, owner: `user ${self}` };
  if (user === self || user === 0 || (token && user !== undefined)) return { ...rest, owner: `user ${user}` };
  if (token) return { ...rest, owner: "token" };
  if (user === undefined) {
    if (insecure) return { ...rest, owner: "anybody", trusted: false };
    throw new WireError(L.WIRE_ERROR_USER, "whose program it is cannot be seen from here; give both a token file");
  }
  if (self === 0 || insecure) return { owner: `user ${user}`, user, trusted: false, stranger: true };
  throw new WireError(L.WIRE_ERROR_USER, `it is user ${user}'s, and memdb is user ${self}'s; give both a token file`);
}

/**
 * Whether a process is a user's; undefined where that cannot be told from here,
 * as of one that is gone or in a container.
 */
export function isProcessOf(user: number, identity: Identity): boolean | undefined {
  // Root may speak for any, also for a process that has given its privileges up meanwhile.
  if (user === 0) return true;
  const { namespace } = ownIdentity();
  const here = identity.namespace === namespace || identity.namespace === 0n || namespace === 0n;
  if (!here || liveness(identity) !== "running") return undefined;
  const [, ...users] = /^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)$/m.exec(textAt(`/proc/${identity.pid}/status`)) ?? [];
  return users.length === 0 ? undefined : users.map(Number).includes(user);
}
