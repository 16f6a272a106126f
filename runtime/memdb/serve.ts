// memdb: receives the wire from many programs and keeps a store file for each of them.
//
//     socket ──▶ Connection: handshake ──▶ SessionImage (memdb.wasm) ──▶ StoreFile
//                                                 ▲ every second, slice by slice ▲
//
// Node, Bun and Deno share one code path: node:net. Applying what arrives is synchronous and fast; writing is done in
// slices, and other work runs between them. A peer's error ends its own connection, with one entry in the log.

import { rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import * as L from "../../asm/layout.js";
import { wallDate } from "../host/clock.js";
import type { LogEntry } from "../host/types.js";
import { identityKey, type Origin } from "../stores/identity.js";
import { Connection, type Keeper, Session } from "./connection.js";
import { type Guest, isProcessOf } from "./guest.js";
import { listenTcp, listenUnix, SOCKET_OPTIONS } from "./listen.js";
import { Users } from "./peers.js";
import { holdsStoreOf, type StoreFile, StoreLost, StorePaths } from "./storefile.js";
import { StoreLock } from "./storelock.js";
import { WireError } from "./wire.js";
import { SessionImage } from "./wireimage.js";

export type { LogEntry } from "../host/types.js";

export interface Limits {
  /** Open connections, also those that have not said anything yet. Half of them may be without a process. */
  connections: number;
  /** Monitored processes at a time. Half of them may be of one other user. */
  sessions: number;
  /** From the connection to the end of the handshake. */
  handshakeMs: number;
  /** How often changed pages are written. */
  writeMs: number;
}

export const LIMITS: Readonly<Limits> = { connections: 1024, sessions: 256, handshakeMs: 10_000, writeMs: 1000 };

/** What memdb takes when nothing is said. */
export const DEFAULTS = { host: "127.0.0.1", port: 20015, size: 8 * 1024 ** 3 } as const;
/** Bytes of the smallest store: room for the header, one block of each array and one more. */
export const LEAST_SIZE = 8 * 1024 ** 2;

export interface ServeOptions {
  /** Path of the first store. */
  store: string;
  /** Most bytes for a store, and so for a session's memory. */
  size: number;
  tcp?: { host: string; port: number } | undefined;
  unix?: string | undefined;
  token?: Uint8Array | undefined;
  /** Listen beyond loopback without a token. */
  insecure?: boolean;
  limits?: Partial<Limits>;
  log(entry: LogEntry): void;
}

/** Bytes of records written before others get their turn. */
const SLICE_BYTES = 8 << 20;

/** Listens, and returns when everybody can connect. Throws Error with one line for the user. */
export async function serve(options: ServeOptions): Promise<Memdb> {
  const memdb = new Memdb(options);
  await memdb.listen();
  return memdb;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class Memdb implements Keeper {
  readonly limits: Readonly<Limits>;
  readonly options: ServeOptions;
  readonly sessions = new Map<string, Session>();
  readonly users = new Users();
  readonly #paths: StorePaths;
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Connection>();
  /** Those that are being told why. */
  readonly #leaving = new Set<Connection>();
  readonly #since = wallDate();
  /** Ended sessions whose last state is not in the file yet. */
  readonly #unsaved = new Set<Session>();
  #lock: StoreLock | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closing = false;
  #accepted = 0;
  #refused = 0;

  constructor(options: ServeOptions) {
    this.options = options;
    this.limits = { ...LIMITS, ...options.limits };
    this.#paths = new StorePaths(options.store);
  }

  /** Where it listens over TCP, with the real port. */
  get address(): AddressInfo | undefined {
    for (const server of this.#servers) {
      const address = server.address();
      if (address && typeof address === "object") return address;
    }
    return undefined;
  }

  async listen(): Promise<void> {
    const { store, tcp, unix, token, insecure } = this.options;
    this.#lock = new StoreLock(store);
    try {
      if (unix !== undefined) this.#listens(await listenUnix(this.#server(true), unix));
      if (tcp) this.#listens(await listenTcp(this.#server(false), tcp, token !== undefined || insecure === true));
    } catch (error) {
      for (const server of this.#servers) server.close();
      this.#lock.release();
      throw error;
    }
    this.#schedule();
  }

  #listens(peer: string): void {
    this.options.log({ event: "listening", peer, store: this.options.store });
  }

  #server(unix: boolean): Server {
    const server = createServer(SOCKET_OPTIONS, (socket) => {
      const connection = new Connection(this, socket, unix, () => {
        this.#connections.delete(connection);
        this.#leaving.delete(connection);
      });
      this.#connections.add(connection);
      this.#makeRoom(connection);
    });
    // Out of descriptors, for instance: one peer less, and the next one may do.
    server.on("error", (error) => {
      if (server.listening) this.options.log({ event: "trouble", reason: error.message });
    });
    this.#servers.push(server);
    return server;
  }

  #makeRoom(newcomer: Connection): void {
    const { connections } = this.limits;
    if (this.#connections.size > connections) {
      newcomer.fail(new WireError(L.WIRE_ERROR_LIMIT, `${connections} connections`));
    }
    if (this.#connections.size <= connections / 2) return;
    // Whoever has most of those that are not yet a process loses the oldest of them, so that nobody crowds others out.
    const sources = new Map<string, Connection[]>();
    let waiting = 0;
    for (const connection of this.#connections) {
      if (!connection.waiting) continue;
      waiting++;
      const same = sources.get(connection.source);
      if (same) same.push(connection);
      else sources.set(connection.source, [connection]);
    }
    if (waiting <= connections / 2) return;
    const [most] = [...sources.values()].sort((a, b) => b.length - a.length);
    most![0]!.fail(new WireError(L.WIRE_ERROR_LIMIT, `${connections / 2} connections without a process`));
  }

  /** A connection says its last word. These are bounded as well: the oldest is cut off. */
  leaves(connection: Connection): void {
    this.#connections.delete(connection);
    this.#leaving.add(connection);
    if (this.#leaving.size <= this.limits.connections) return;
    const [oldest] = this.#leaving;
    oldest!.destroy();
    this.#leaving.delete(oldest!);
  }

  // ── Sessions ───────────────────────────────────────────────────────────────────────────────────

  /** Starts the session of a process; an older connection of the same process and owner ends. */
  open(connection: Connection, guest: Guest, identity: Origin, exe: string): Session {
    const { owner, user, stranger } = guest;
    const proven = user === undefined ? undefined : isProcessOf(user, identity);
    if (proven === false) {
      throw new WireError(L.WIRE_ERROR_USER, `process ${identity.pid} is another one's than user ${user}'s`);
    }
    const key = `${owner} ${identityKey(identity)}`;
    this.sessions.get(key)?.connection.fail(new WireError(L.WIRE_ERROR_REPLACED));
    for (const session of this.#unsaved) if (session.key === key) this.#forget(session);
    this.#countSessions(guest);
    const image = new SessionImage(this.options.size);
    let file: StoreFile;
    try {
      file = this.#paths.claim(identity, { key, stranger, proven: proven === true });
    } catch (error) {
      throw new WireError(L.WIRE_ERROR_LIMIT, (error as Error).message);
    }
    const session = new Session(key, owner, identity, exe, connection, image, file);
    this.sessions.set(key, session);
    this.#accepted++;
    this.log("session", session, { exe });
    return session;
  }

  #countSessions({ owner, stranger }: Guest): void {
    const { sessions } = this.limits;
    const all = [...this.sessions.values(), ...this.#unsaved];
    if (all.length >= sessions) throw new WireError(L.WIRE_ERROR_LIMIT, `${sessions} sessions`);
    if (stranger && all.filter((session) => session.owner === owner).length >= sessions / 2) {
      throw new WireError(L.WIRE_ERROR_LIMIT, `${sessions / 2} sessions of ${owner}`);
    }
  }

  /** The connection of a session is gone: what was received goes into the file, then the memory is given back. */
  end(session: Session, reason: string): void {
    if (this.sessions.get(session.key) === session) this.sessions.delete(session.key);
    this.log("closed", session, { reason });
    this.#unsaved.add(session);
    void this.save(session);
  }

  /**
   * Writes all that changed. Gives others a turn between slices; resolves when
   * it is done, or stuck until the next time.
   */
  async save(session: Session): Promise<void> {
    while (!this.#slice(session, SLICE_BYTES)) await turn();
  }

  #slice(session: Session, budget: number): boolean {
    const { file, image, identity } = session;
    if (session.forgotten) return true;
    const ended = this.#unsaved.has(session);
    // An incomplete snapshot is better than nothing, but not better than an older store of the same process.
    if (!session.complete && (!ended || holdsStoreOf(file.path, identity))) {
      if (ended) this.#forget(session);
      return true;
    }
    try {
      if (!file.update(image, budget)) return false;
      if (session.trouble) this.log("recovered", session);
      session.trouble = undefined;
    } catch (error) {
      // Said once; the next write tries again.
      const reason = (error as Error).message;
      if (!session.trouble) this.log("trouble", session, { reason });
      session.trouble = reason;
      return !(error instanceof StoreLost);
    }
    if (ended) this.#forget(session);
    return true;
  }

  #forget(session: Session): void {
    session.forgotten = true;
    this.#unsaved.delete(session);
    this.#paths.release(session.file.path);
    session.file.close();
  }

  /** Writes what changed in all sessions. */
  async flush(): Promise<void> {
    for (const session of [...this.sessions.values(), ...this.#unsaved]) await this.save(session);
  }

  #schedule(): void {
    this.#timer = setTimeout(async () => {
      await this.flush();
      if (!this.#closing) this.#schedule();
    }, this.limits.writeMs);
  }

  /** Stops listening, ends all connections, writes all that was received. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    clearTimeout(this.#timer);
    for (const server of this.#servers) server.close();
    if (this.options.unix !== undefined) rmSync(this.options.unix, { force: true });
    for (const connection of this.#connections) connection.fail(new WireError(L.WIRE_ERROR_CLOSING), 0);
    for (const session of this.#unsaved) {
      while (!this.#slice(session, Number.POSITIVE_INFINITY));
      if (!session.forgotten) this.#forget(session);
    }
    this.#lock?.release();
    this.options.log({ event: "closing" });
    // The farewells leave.
    await turn();
    await turn();
  }

  // ── Telling ────────────────────────────────────────────────────────────────────────────────────

  refuse(peer: string, error: WireError): void {
    if (this.#closing) return;
    this.#refused++;
    this.options.log({ event: "refused", peer, reason: error.message });
  }

  log(event: LogEntry["event"], session: Session, more: Partial<LogEntry> = {}): void {
    const { connection, identity, file, image } = session;
    const counts = { live: image.liveCount, bytes: image.liveBytes, received: image.received };
    this.options.log({ event, peer: connection.peer, pid: identity.pid, store: file.path, ...more, counts });
  }

  /** The answer to `memdb status`. */
  status(): string {
    return JSON.stringify({
      version: 1,
      pid: process.pid,
      since: this.#since.toISOString(),
      connections: this.#connections.size,
      accepted: this.#accepted,
      refused: this.#refused,
      sessions: [...this.sessions.values()].map((session) => ({
        pid: session.identity.pid,
        exe: session.exe,
        peer: session.connection.peer,
        store: session.file.path,
        since: session.since.toISOString(),
        complete: session.complete,
        liveCount: session.image.liveCount,
        liveBytes: session.image.liveBytes,
        received: session.image.received,
        memoryBytes: session.image.memoryBytes,
        full: session.image.full,
        trouble: session.trouble ?? null,
      })),
    });
  }
}
