// The entry "memhook/memdb": memdb inside the user's own program, and a query to a running memdb.

import type { LogEntry } from "../runtime/host/types.js";
import { DEFAULTS, LEAST_SIZE, serve as listen } from "../runtime/memdb/serve.js";
import { askStatus, readToken, type Status } from "../runtime/memdb/wirestatus.js";

import { AMOUNT, CALL, COUNT, checkMembers, type Kind, SWITCH, TEXT } from "./members.js";

export type { LogEntry } from "../runtime/host/types.js";
export type { SessionStatus, Status } from "../runtime/memdb/wirestatus.js";

/** The names are those of memdb's options. */
export interface ServeOptions {
  /** The path of the first process's store; others are beside it, at stem.PID.ext. */
  store: string;
  /** The largest size of a store, and of a process in memory, in bytes: 8 MiB or more; 8 GiB by default. */
  size?: number | undefined;
  /** The name or address to listen on; 127.0.0.1 by default. */
  host?: string | undefined;
  /** The port; 20015 by default, 0 means any free port. */
  port?: number | undefined;
  /** The path of a Unix socket to listen on. memdb then listens on TCP only with `host` or `port`. */
  unix?: string | undefined;
  /** A file with the token that programs must have. */
  tokenFile?: string | undefined;
  /** Listen beyond this machine without a token. Anybody can then write stores here. */
  insecure?: boolean | undefined;
  /** Is called with each event. */
  log?: ((entry: LogEntry) => void) | undefined;
}

const SERVE_OPTIONS: Readonly<Record<keyof ServeOptions, Kind>> = {
  store: TEXT,
  size: AMOUNT,
  host: TEXT,
  port: COUNT,
  unix: TEXT,
  tokenFile: TEXT,
  insecure: SWITCH,
  log: CALL,
};

/** A running memdb. */
export interface Memdb {
  /** The TCP address that it listens on, if any. */
  readonly address: { address: string; port: number } | undefined;
  /** What `memdb status` shows. */
  status(): Status;
  /** Writes everything received so far. This happens every second anyway. */
  flush(): Promise<void>;
  /** Stops listening, ends all connections and writes everything received. */
  close(): Promise<void>;
}

/**
 * Listens, and returns when programs can connect. A program's mistakes end its own connection and nothing else.
 * @throws Error in one line when it cannot listen, TypeError and RangeError for options that make no sense.
 */
export async function serve(options: ServeOptions): Promise<Memdb> {
  checkMembers("options", options, SERVE_OPTIONS);
  const { store, size = DEFAULTS.size, host, port, unix, tokenFile, insecure = false, log = () => {} } = options;
  if (store === undefined) throw new TypeError("options: store is missing; give the path of the first store");
  if (!(size >= LEAST_SIZE)) throw new RangeError(`size: ${size} is too small for a store; give ${LEAST_SIZE} or more`);
  const overTcp = unix === undefined || host !== undefined || port !== undefined;
  const memdb = await listen({
    store,
    size,
    tcp: overTcp ? { host: host ?? DEFAULTS.host, port: port ?? DEFAULTS.port } : undefined,
    unix,
    token: tokenFile === undefined ? undefined : readToken(tokenFile),
    insecure,
    log,
  });
  return {
    get address() {
      const bound = memdb.address;
      return bound && { address: bound.address, port: bound.port };
    },
    status: () => JSON.parse(memdb.status()) as Status,
    flush: () => memdb.flush(),
    close: () => memdb.close(),
  };
}

const ADDRESS = { host: TEXT, port: COUNT, unix: TEXT, tokenFile: TEXT };

/**
 * Asks a memdb that runs for its sessions and counters.
 * @throws Error in one line when there is none, or it does not answer within 5 s, or wants another token.
 */
export async function status(
  where: { host?: string; port?: number; unix?: string; tokenFile?: string } = {},
): Promise<Status> {
  checkMembers("where", where, ADDRESS);
  const { host = DEFAULTS.host, port = DEFAULTS.port, unix, tokenFile } = where;
  const token = tokenFile === undefined ? undefined : readToken(tokenFile);
  return askStatus(unix === undefined ? { host, port } : { path: unix }, token);
}
