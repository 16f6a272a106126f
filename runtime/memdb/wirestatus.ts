// Asks a running memdb for its status.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import * as L from "../../asm/layout.js";
import {
  bytesOf,
  type Frame,
  FrameReader,
  helloFrame,
  memdbMac,
  proofFrame,
  readRefusal,
  sameMac,
  senderMac,
  statusFrame,
} from "./wire.js";

export interface SessionStatus {
  pid: number;
  exe: string;
  peer: string;
  store: string;
  /** ISO 8601. */
  since: string;
  /** The first snapshot is there. */
  complete: boolean;
  liveCount: number;
  liveBytes: number;
  /** Records and removals received. */
  received: number;
  memoryBytes: number;
  /** The store has its full size. */
  full: boolean;
  /** Why the store cannot be written at the moment. */
  trouble: string | null;
}

export interface Status {
  version: 1;
  pid: number;
  since: string;
  connections: number;
  /** Sessions since the start. */
  accepted: number;
  /** Connections that were refused. */
  refused: number;
  sessions: SessionStatus[];
}

/** Longest answer that is read: memdb has at most a few hundred sessions. */
const REPLY_MAX = 16 << 20;
const PATIENCE_MS = 5000;
const TOKEN_BYTES_MIN = 16;

/** The token in a file: its content without white space at the ends. Throws Error with one line for the user. */
export function readToken(path: string): Uint8Array {
  let text: string;
  try {
    text = readFileSync(path, "latin1");
  } catch (error) {
    throw new Error(
      `${path}: cannot be read (${(error as Error).message}); create it: head -c 32 /dev/urandom | base64`,
    );
  }
  const token = Buffer.from(text.replace(/^[ \t\r\n\f\v]+|[ \t\r\n\f\v]+$/g, ""), "latin1");
  if (token.length < TOKEN_BYTES_MIN) {
    throw new Error(`${path}: a token of ${token.length} bytes can be guessed; use at least ${TOKEN_BYTES_MIN}`);
  }
  return token;
}

/** @throws Error with one line for the user. */
export function askStatus(
  where: { host: string; port: number } | { path: string },
  token?: Uint8Array,
): Promise<Status> {
  const name = "path" in where ? where.path : `${where.host} port ${where.port}`;
  return new Promise((resolve, reject) => {
    const nonce = token ? randomBytes(L.WIRE_NONCE_BYTES) : new Uint8Array(L.WIRE_NONCE_BYTES);
    const reader = new FrameReader(REPLY_MAX);
    const socket = connect(where);
    let memdbNonce: Uint8Array | undefined;
    const end = (error: Error | undefined, status?: Status) => {
      clearTimeout(patience);
      socket.destroy();
      if (status) resolve(status);
      else reject(error);
    };
    const fail = (what: string) => end(new Error(`${name}: ${what}`));
    const patience = setTimeout(() => fail(`no answer within ${PATIENCE_MS / 1000} s`), PATIENCE_MS);

    const take = ({ type, payload }: Frame) => {
      if (type === L.WIRE_CHALLENGE && payload.byteLength >= L.WIRE_CHALLENGE_BYTES) {
        memdbNonce = bytesOf(payload, L.WIRE_CHALLENGE_NONCE, L.WIRE_NONCE_BYTES);
        const wanted = payload.getUint32(L.WIRE_CHALLENGE_SCHEME, true) === L.WIRE_SCHEME_HMAC_SHA256;
        if (wanted && !token) return fail("this memdb asks for a token; give --token-file FILE");
        if (!wanted && token) return fail("this memdb asks for no token: not the one that the token file is for");
        if (token) socket.write(proofFrame(senderMac(token, memdbNonce, nonce)));
      } else if (type === L.WIRE_ACCEPT && memdbNonce && payload.byteLength >= L.WIRE_ACCEPT_BYTES) {
        const mac = bytesOf(payload, L.WIRE_ACCEPT_MAC, L.WIRE_MAC_BYTES);
        if (token && !sameMac(mac, memdbMac(token, memdbNonce, nonce))) return fail("it does not know the token");
        socket.write(statusFrame());
      } else if (type === L.WIRE_STATUS_REPLY) {
        end(undefined, JSON.parse(new TextDecoder().decode(payload)) as Status);
      } else if (type === L.WIRE_REFUSE && payload.byteLength >= L.WIRE_REFUSE_TEXT) {
        fail(`refused: ${readRefusal(payload).text}`);
      } else {
        fail("it does not speak memhook's wire");
      }
    };
    socket.on("connect", () => socket.write(helloFrame(nonce)));
    socket.on("error", (error) => fail(`no memdb there (${error.message})`));
    socket.on("close", () => fail("it closed the connection"));
    socket.on("data", (chunk: Uint8Array) => {
      try {
        reader.push(chunk);
        for (let frame = reader.next(); frame; frame = reader.next()) take(frame);
      } catch (error) {
        fail((error as Error).message);
      }
    });
  });
}
