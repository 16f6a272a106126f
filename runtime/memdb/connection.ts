// One connection of memdb's: the handshake, then a session whose image takes what comes.
//
//     whose is it?                           asked of the kernel before anything is read (peers.ts)
//     HELLO → CHALLENGE, PROOF → ACCEPT      by FrameReader: few bytes, each frame of the one length that it can have
//     PROCESS                                memdb opens a session, or answers a question about its state
//     from then on                           straight into the session's image; every commit is acknowledged
//
// A peer's error ends its own connection, with one entry in the log, and the peer is told why.

import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import * as L from "../../asm/layout.js";
import { wallDate } from "../host/clock.js";
import type { LogEntry } from "../host/types.js";
import { identityOf, type Origin } from "../stores/identity.js";
import { type Guest, guestOf } from "./guest.js";
import type { Users } from "./peers.js";
import { type Receiver, receive } from "./receive.js";
import type { StoreFile } from "./storefile.js";
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
import type { SessionImage } from "./wireimage.js";

/** Room for what a connection brings in one piece before there is a session. */
const HANDSHAKE_BYTES = 16384;
/** Acknowledgements a peer may leave unread. */
const UNREAD_BYTES = 65536;
/** The longest PROCESS: what the header page has room for. */
const PROCESS_BYTES_MAX = L.WIRE_HEADER_BYTES + L.PROCESS_BYTES;
/** How long a refused peer gets to read why. */
const FAREWELL_MS = 1000;

/** What a connection asks of memdb. */
export interface Keeper {
  readonly options: { unix?: string | undefined; token?: Uint8Array | undefined; insecure?: boolean };
  readonly limits: { readonly handshakeMs: number };
  readonly users: Users;
  /** Starts the session of a process; an older connection of the same process and owner ends. */
  open(connection: Connection, guest: Guest, identity: Origin, exe: string): Session;
  /** Writes all that changed. Resolves when it is done, or stuck until the next time. */
  save(session: Session): Promise<void>;
  /** The connection of a session is gone: what was received goes into the file. */
  end(session: Session, reason: string): void;
  /** A connection says its last word. */
  leaves(connection: Connection): void;
  refuse(peer: string, error: WireError): void;
  log(event: LogEntry["event"], session: Session, more?: Partial<LogEntry>): void;
  /** The answer to `memdb status`. */
  status(): string;
}

/** A monitored process for the time of one connection. */
export class Session {
  readonly since = wallDate();
  /** The first commit has come: the image is what the process holds. */
  complete = false;
  /** Why its file could not be written the last time. */
  trouble: string | undefined;
  forgotten = false;
  /** Its store being full was said. */
  saidFull = false;

  constructor(
    readonly key: string,
    readonly owner: string,
    readonly identity: Origin,
    readonly exe: string,
    readonly connection: Connection,
    readonly image: SessionImage,
    readonly file: StoreFile,
  ) {}
}

export class Connection implements Receiver {
  readonly peer: string;
  /** Who has how many of the connections that are not yet a process: a user, or another machine. */
  source = "";
  readonly #memdb: Keeper;
  #socket: Socket;
  #receiving = false;
  #user: number | undefined;
  #guest: Guest | undefined;
  readonly #reader = new FrameReader(PROCESS_BYTES_MAX);
  readonly #handshake = new Uint8Array(HANDSHAKE_BYTES);
  readonly #nonce = randomBytes(L.WIRE_NONCE_BYTES);
  #peerNonce: Uint8Array = new Uint8Array(0);
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #expects: "hello" | "proof" | "process" = "hello";
  #session: Session | undefined;
  #over = false;

  /** `closed` is called once the connection is no more. */
  constructor(
    memdb: Keeper,
    socket: Socket,
    readonly unix: boolean,
    readonly closed: () => void,
  ) {
    this.#memdb = memdb;
    // A TCP socket that was closed already has no addresses; it does not become one of ours by that.
    const { remoteAddress = "gone", remotePort } = socket;
    this.peer = unix ? `unix:${memdb.options.unix}` : `${remoteAddress}:${remotePort}`;
    this.#socket = socket;
    const { handshakeMs } = memdb.limits;
    this.#deadline = setTimeout(() => {
      this.fail(new WireError(L.WIRE_ERROR_TIMEOUT, `waited ${handshakeMs / 1000} s for ${this.#expects}`));
    }, handshakeMs);
    // What went wrong with the connection itself comes again as its close.
    socket.on("error", () => {});
    if (unix) this.#receive();
    else void this.#identify(remoteAddress);
  }

  /** Nothing is read before it is known whose connection it is. */
  async #identify(remoteAddress: string): Promise<void> {
    this.#user = await this.#memdb.users.of(this.#socket);
    this.source = this.#user === undefined ? remoteAddress : `user ${this.#user}`;
    if (!this.#over) this.#receive();
  }

  #receive(): void {
    if (this.#receiving) return;
    this.#receiving = true;
    this.#socket = receive(this.#socket, this);
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.#lost();
      this.closed();
    });
  }

  /** No session yet, and not at its end either. */
  get waiting(): boolean {
    return !this.#session && !this.#over;
  }

  // Into the session's image, once there is one. In the handshake little comes;
  // and what comes after the end is not read.
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
      // Said by its first eight bytes already, so that a browser or a scanner
      // is not waited for, and nothing kept that is of no use.
      this.#check(head);
      const frame = this.#reader.next();
      if (!frame) return;
      if (this.#expects === "hello") this.#hello(frame);
      else if (this.#expects === "proof") this.#proof(frame);
      else {
        if (frame.type === L.WIRE_STATUS) this.#status();
        else this.#process(frame);
        return;
      }
    }
  }

  #check({ type, length }: { type: number; length: number }): void {
    if (this.#expects === "hello") {
      if (type !== L.WIRE_HELLO || length !== L.WIRE_HELLO_BYTES) throw new WireError(L.WIRE_ERROR_MAGIC);
    } else if (this.#expects === "proof") {
      if (type !== L.WIRE_PROOF || length !== L.WIRE_PROOF_BYTES) throw new WireError(L.WIRE_ERROR_TOKEN);
    } else if (type !== L.WIRE_PROCESS && type !== L.WIRE_STATUS) {
      throw new WireError(L.WIRE_ERROR_ORDER, `${frameName(type)} instead of PROCESS`);
    }
  }

  #hello({ payload }: Frame): void {
    this.#peerNonce = readHello(payload);
    const { token } = this.#memdb.options;
    this.#socket.write(challengeFrame(token ? L.WIRE_SCHEME_HMAC_SHA256 : L.WIRE_SCHEME_NONE, this.#nonce));
    if (token) this.#expects = "proof";
    else this.#accept(new Uint8Array(L.WIRE_MAC_BYTES));
  }

  #proof({ payload }: Frame): void {
    const token = this.#memdb.options.token!;
    if (!sameMac(bytesOf(payload, 0, L.WIRE_MAC_BYTES), senderMac(token, this.#nonce, this.#peerNonce))) {
      throw new WireError(L.WIRE_ERROR_TOKEN);
    }
    this.#accept(memdbMac(token, this.#nonce, this.#peerNonce));
  }

  #accept(mac: Uint8Array): void {
    const { token, insecure = false } = this.#memdb.options;
    this.#guest = guestOf({ unix: this.unix, user: this.#user, token: token !== undefined, insecure });
    this.#socket.write(acceptFrame(mac));
    this.#expects = "process";
  }

  #status(): void {
    if (!this.#guest!.trusted) throw new WireError(L.WIRE_ERROR_USER, "the state of memdb is its user's and root's");
    this.#finish(statusReplyFrame(this.#memdb.status()));
  }

  #process({ payload }: Frame): void {
    // The image checks the rest; this is what its owner and its path depend on.
    if (payload.byteLength < L.WIRE_HEADER_BYTES) throw new WireError(L.WIRE_ERROR_LENGTH, "in PROCESS");
    const exeLength = payload.getUint32(L.HEADER_EXE_LENGTH, true);
    if (exeLength > payload.byteLength - L.WIRE_HEADER_BYTES) throw new WireError(L.WIRE_ERROR_LENGTH, "in PROCESS");
    const exe = new TextDecoder().decode(bytesOf(payload, L.WIRE_HEADER_BYTES, exeLength));
    const session = this.#memdb.open(this, this.#guest!, identityOf(payload), exe);
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
    this.#memdb.leaves(this);
    this.#receive();
    this.#socket.end(frame);
    setTimeout(() => this.destroy(), farewellMs).unref();
  }

  /** Without a word more. */
  destroy(): void {
    this.#socket.destroy();
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
