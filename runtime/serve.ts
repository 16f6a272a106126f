// memdb: receives the wire from many programs and keeps a store file for each of them.
//
//     socket ──▶ Connection: handshake ──▶ SessionImage (memdb.wasm) ──▶ StoreFile
//                                                 ▲ every second, slice by slice ▲
//
// One code path for Node, Bun and Deno: node:net. Applying what arrives is synchronous and fast; writing goes in
// slices between which others get their turn. Whatever one peer does wrong ends its own connection, with one entry in the log.

import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { chmodSync, lstatSync, rmSync, unlinkSync } from "node:fs";
import { type AddressInfo, connect, createServer, isIP, type Server, type Socket } from "node:net";
import * as L from "../asm/layout.js";
import { type Receiver, receive } from "./receive.js";
import { holdsStoreOf, identityKey, identityOf, type Origin, type StoreFile, StorePaths } from "./storefile.js";
import type { LogEntry } from "./types.js";
import {
  acceptFrame,
  ackFrame,
  bytesOf,
  challengeFrame,
  type Frame,
  FrameReader,
  frameName,
  memdbMac,
  readHello,
  refuseFrame,
  sameMac,
  senderMac,
  statusReplyFrame,
  WireError,
} from "./wire.js";
import { SessionImage } from "./wireimage.js";

export type { LogEntry } from "./types.js";

export interface Limits {
  /** Open connections, also those that have not said anything yet. */
  connections: number;
  /** Monitored processes at a time. */
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
const SOCKET_OPTIONS = { keepAlive: true, keepAliveInitialDelay: 60_000, noDelay: true, pauseOnConnect: true };
/** Room for what a connection brings in one piece before there is a session. */
const HANDSHAKE_BYTES = 16384;
/** Acknowledgements a peer may leave unread. */
const UNREAD_BYTES = 65536;
/** How long a refused peer gets to read why. */
const FAREWELL_MS = 1000;

/** Listens, and returns when everybody can connect. Throws Error with one line for the user. */
export async function serve(options: ServeOptions): Promise<Memdb> {
  const memdb = new Memdb(options);
  await memdb.listen();
  return memdb;
}

function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address);
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export class Memdb {
  readonly limits: Readonly<Limits>;
  readonly options: ServeOptions;
  readonly sessions = new Map<string, Session>();
  readonly #paths: StorePaths;
  readonly #servers: Server[] = [];
  readonly #connections = new Set<Connection>();
  readonly #since = new Date();
  /** Ended sessions whose last state is not in the file yet. */
  readonly #unsaved = new Set<Session>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closing = false;
  #accepted = 0;
  #refused = 0;

  constructor(options: ServeOptions) {
    this.options = options;
    this.limits = { ...LIMITS, ...options.limits };
    this.#paths = new StorePaths(options.store);
  }

  // ── Listening ──────────────────────────────────────────────────────────────────────────────────

  /** Where it listens over TCP, with the real port. */
  get address(): AddressInfo | undefined {
    for (const server of this.#servers) {
      const address = server.address();
      if (address && typeof address === "object") return address;
    }
    return undefined;
  }

  async listen(): Promise<void> {
    const { tcp, unix, token, insecure } = this.options;
    try {
      if (unix !== undefined) await this.#listenUnix(unix);
      if (tcp) {
        const { host, port } = tcp;
        const [address] = isIP(host) ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
        if (address === undefined) throw new Error(`no address for ${host}`);
        if (!isLoopback(address) && !token && !insecure) {
          throw new Error(
            `${host} can be reached by others: give --token-file FILE so that only holders of the token can connect, or --insecure`,
          );
        }
        const server = this.#server();
        await listening(server, { host: address, port }, `${host} port ${port}`);
        const bound = server.address() as AddressInfo;
        this.#listens(`${bound.address}:${bound.port}`);
      }
    } catch (error) {
      for (const server of this.#servers) server.close();
      throw error;
    }
    this.#schedule();
  }

  #listens(peer: string): void {
    this.options.log({ event: "listening", peer, store: this.options.store });
  }

  async #listenUnix(path: string): Promise<void> {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there && !there.isSocket()) throw new Error(`${path}: there is something that is no socket; name another path`);
    if (there) {
      if (await answers(path)) throw new Error(`${path}: somebody listens there already`);
      unlinkSync(path);
    }
    // The socket appears with these permissions; chmod afterwards would leave a moment in which anybody can connect.
    const before = process.umask(0o177);
    try {
      await listening(this.#server(), { path }, path);
    } finally {
      process.umask(before);
    }
    chmodSync(path, 0o600);
    this.#listens(`unix:${path}`);
  }

  #server(): Server {
    const server = createServer(SOCKET_OPTIONS, (socket) => {
      const connection = new Connection(this, socket, () => this.#connections.delete(connection));
      this.#connections.add(connection);
      if (this.#connections.size > this.limits.connections) {
        connection.fail(new WireError(L.WIRE_ERROR_LIMIT, `${this.limits.connections} connections`));
      }
    });
    // Out of descriptors, for instance: one peer less, and the next one may do.
    server.on("error", (error) => {
      if (server.listening) this.options.log({ event: "trouble", reason: error.message });
    });
    this.#servers.push(server);
    return server;
  }

  // ── Sessions ───────────────────────────────────────────────────────────────────────────────────

  /** Starts the session of a process; an older connection of the same process ends. */
  open(connection: Connection, identity: Origin, exe: string): Session {
    const key = identityKey(identity);
    this.sessions.get(key)?.connection.fail(new WireError(L.WIRE_ERROR_REPLACED));
    for (const session of this.#unsaved) if (session.key === key) this.#forget(session);
    if (this.sessions.size + this.#unsaved.size >= this.limits.sessions) {
      throw new WireError(L.WIRE_ERROR_LIMIT, `${this.limits.sessions} sessions`);
    }
    const image = new SessionImage(this.options.size);
    let file: StoreFile;
    try {
      file = this.#paths.claim(identity);
    } catch (error) {
      throw new WireError(L.WIRE_ERROR_LIMIT, (error as Error).message);
    }
    const session = new Session(key, identity, exe, connection, image, file);
    this.sessions.set(key, session);
    this.#accepted++;
    this.log("session", session, { exe });
    return session;
  }

  /** The connection of a session is gone: what was received goes into the file, then the memory is given back. */
  end(session: Session, reason: string): void {
    if (this.sessions.get(session.key) === session) this.sessions.delete(session.key);
    this.log("closed", session, { reason });
    this.#unsaved.add(session);
    void this.save(session);
  }

  /** Writes all that changed. Gives others a turn between slices; resolves when it is done, or stuck until the next time. */
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
      return true;
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
      this.#slice(session, Number.POSITIVE_INFINITY);
      if (!session.forgotten) this.#forget(session);
    }
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

function listening(
  server: Server,
  where: { host: string; port: number } | { path: string },
  name: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: Error & { code?: string }) => {
      const what = error.code === "EADDRINUSE" ? "somebody listens there already" : error.message;
      reject(new Error(`cannot listen on ${name}: ${what}`));
    });
    server.listen(where, resolve);
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** A monitored process for the time of one connection. */
class Session {
  readonly since = new Date();
  /** The first commit has come: the image is what the process holds. */
  complete = false;
  /** Why its file could not be written the last time. */
  trouble: string | undefined;
  forgotten = false;
  /** Its store being full was said. */
  saidFull = false;

  constructor(
    readonly key: string,
    readonly identity: Origin,
    readonly exe: string,
    readonly connection: Connection,
    readonly image: SessionImage,
    readonly file: StoreFile,
  ) {}
}

class Connection implements Receiver {
  readonly peer: string;
  readonly #memdb: Memdb;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #handshake = new Uint8Array(HANDSHAKE_BYTES);
  readonly #nonce = randomBytes(L.WIRE_NONCE_BYTES);
  #peerNonce: Uint8Array = new Uint8Array(0);
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #expects: "hello" | "proof" | "process" = "hello";
  #session: Session | undefined;
  #over = false;

  /** `closed` is called once the connection is no more. */
  constructor(memdb: Memdb, socket: Socket, closed: () => void) {
    this.#memdb = memdb;
    const { remoteAddress, remotePort } = socket;
    this.peer = remoteAddress ? `${remoteAddress}:${remotePort}` : `unix:${memdb.options.unix}`;
    this.#socket = receive(socket, this);
    const { handshakeMs } = memdb.limits;
    this.#deadline = setTimeout(() => {
      this.fail(new WireError(L.WIRE_ERROR_TIMEOUT, `waited ${handshakeMs / 1000} s for ${this.#expects}`));
    }, handshakeMs);
    // What went wrong with the connection itself comes again as its close.
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#lost();
      closed();
    });
  }

  // Into the session's image, once there is one. In the handshake little comes; and what comes after the end is not read.
  room(): Uint8Array {
    if (this.#session && !this.#over) return this.#session.image.input();
    return this.#handshake;
  }

  received(bytes: number): void {
    if (this.#over) return;
    try {
      if (this.#session) this.#take(this.#session, bytes);
      else this.#shake(this.#handshake.subarray(0, bytes));
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.fail(error);
    }
  }

  // ── Handshake ──────────────────────────────────────────────────────────────────────────────────

  #shake(chunk: Uint8Array): void {
    this.#reader.push(chunk);
    for (;;) {
      const head = this.#reader.peek();
      if (!head) return;
      // Said by its first eight bytes already, so that a browser or a scanner is not waited for.
      if (this.#expects === "hello" && (head.type !== L.WIRE_HELLO || head.length !== L.WIRE_HELLO_BYTES)) {
        throw new WireError(L.WIRE_ERROR_MAGIC);
      }
      const frame = this.#reader.next();
      if (!frame) return;
      if (this.#expects === "hello") this.#hello(frame);
      else if (this.#expects === "proof") this.#proof(frame);
      else {
        if (frame.type === L.WIRE_STATUS) this.#finish(statusReplyFrame(this.#memdb.status()));
        else this.#process(frame);
        return;
      }
    }
  }

  #hello({ payload }: Frame): void {
    this.#peerNonce = readHello(payload);
    const { token } = this.#memdb.options;
    this.#socket.write(challengeFrame(token ? L.WIRE_SCHEME_HMAC_SHA256 : L.WIRE_SCHEME_NONE, this.#nonce));
    if (token) this.#expects = "proof";
    else this.#accept(new Uint8Array(L.WIRE_MAC_BYTES));
  }

  #proof({ type, payload }: Frame): void {
    const token = this.#memdb.options.token!;
    const good = type === L.WIRE_PROOF && payload.byteLength === L.WIRE_PROOF_BYTES;
    if (!good || !sameMac(bytesOf(payload, 0, L.WIRE_MAC_BYTES), senderMac(token, this.#nonce, this.#peerNonce))) {
      throw new WireError(L.WIRE_ERROR_TOKEN);
    }
    this.#accept(memdbMac(token, this.#nonce, this.#peerNonce));
  }

  #accept(mac: Uint8Array): void {
    this.#socket.write(acceptFrame(mac));
    this.#expects = "process";
  }

  #process({ type, payload }: Frame): void {
    if (type !== L.WIRE_PROCESS) throw new WireError(L.WIRE_ERROR_ORDER, `${frameName(type)} instead of PROCESS`);
    // The image checks the rest; this is what its owner and its path depend on.
    if (payload.byteLength < L.WIRE_HEADER_BYTES) throw new WireError(L.WIRE_ERROR_LENGTH, "in PROCESS");
    const exeLength = payload.getUint32(L.HEADER_EXE_LENGTH, true);
    if (exeLength > payload.byteLength - L.WIRE_HEADER_BYTES) throw new WireError(L.WIRE_ERROR_LENGTH, "in PROCESS");
    const exe = new TextDecoder().decode(bytesOf(payload, L.WIRE_HEADER_BYTES, exeLength));
    const session = this.#memdb.open(this, identityOf(payload), exe);
    this.#session = session;
    clearTimeout(this.#deadline);
    const frame = payload.byteOffset - L.WIRE_FRAME_BYTES;
    const { image } = session;
    image.feed(new Uint8Array(payload.buffer, frame, L.WIRE_FRAME_BYTES + payload.byteLength), this.#committed);
    image.feed(this.#reader.rest(), this.#committed);
  }

  // ── Data ───────────────────────────────────────────────────────────────────────────────────────

  #take(session: Session, bytes: number): void {
    session.image.take(bytes, this.#committed);
    if (this.#socket.writableLength > UNREAD_BYTES) {
      throw new WireError(L.WIRE_ERROR_LIMIT, "it does not read its acknowledgements");
    }
  }

  readonly #committed = (sequence: bigint, last: boolean): void => {
    const session = this.#session!;
    if (!session.complete) {
      session.complete = true;
      this.#memdb.log("snapshot", session);
    }
    if (session.image.full && !session.saidFull) {
      session.saidFull = true;
      this.#memdb.log("full", session, {
        reason: "the store has its full size; what does not fit is counted as dropped",
      });
    }
    if (last) void this.#acknowledgeStored(session, sequence);
    else this.#socket.write(ackFrame(sequence));
  };

  /** A process that ends waits for the answer: when it comes, the end is in the file. */
  async #acknowledgeStored(session: Session, sequence: bigint): Promise<void> {
    await this.#memdb.save(session);
    if (!this.#over && !session.trouble) this.#socket.write(ackFrame(sequence));
  }

  // ── End ────────────────────────────────────────────────────────────────────────────────────────

  /** Ends the connection for a reason that the peer and the log are told. */
  fail(error: WireError, farewellMs = FAREWELL_MS): void {
    if (this.#over) return;
    this.#leave(error.message, error);
    this.#finish(refuseFrame(error), farewellMs);
  }

  // Sends the last frame. The socket goes on reading into nothing for a moment: closing it with bytes unread would
  // reset the connection, and the peer would not see the frame.
  #finish(frame: Uint8Array, farewellMs = FAREWELL_MS): void {
    this.#over = true;
    clearTimeout(this.#deadline);
    this.#socket.end(frame);
    setTimeout(() => this.#socket.destroy(), farewellMs).unref();
  }

  #lost(): void {
    clearTimeout(this.#deadline);
    if (this.#over) return;
    this.#over = true;
    if (this.#session) this.#leave(this.#session.image.ended ? "the process ended" : "connection lost");
  }

  #leave(reason: string, error?: WireError): void {
    if (this.#session) this.#memdb.end(this.#session, reason);
    else if (error) this.#memdb.refuse(this.peer, error);
  }
}
