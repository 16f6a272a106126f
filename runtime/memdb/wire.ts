// The wire's handshake and small frames, for memdb and `memdb status`. memdb.wasm decodes the bulk of the data, from
// WIRE_PROCESS on (wireimage.ts). asm/FORMAT.md describes the frames.

import { createHmac, timingSafeEqual } from "node:crypto";
import * as L from "../../asm/layout.js";

/** The log's words for the end of a connection. */
const REASONS: Record<number, string> = {
  [L.WIRE_ERROR_MAGIC]: "does not speak memhook's wire",
  [L.WIRE_ERROR_VERSION]: "speaks another version",
  [L.WIRE_ERROR_LENGTH]: "a length that cannot be",
  [L.WIRE_ERROR_TYPE]: "an unknown frame",
  [L.WIRE_ERROR_ORDER]: "a frame out of order",
  [L.WIRE_ERROR_REFERENCE]: "a reference to something that was never sent",
  [L.WIRE_ERROR_IDENTITY]: "another process than at the start",
  [L.WIRE_ERROR_TOKEN]: "wrong token",
  [L.WIRE_ERROR_LIMIT]: "a limit is reached",
  [L.WIRE_ERROR_TIMEOUT]: "said nothing in time",
  [L.WIRE_ERROR_REPLACED]: "the process has connected again",
  [L.WIRE_ERROR_CLOSING]: "memdb ends",
  [L.WIRE_ERROR_VALUE]: "a value that no process has",
  [L.WIRE_ERROR_USER]: "not for this user",
};

const NAMES: Record<number, string> = {
  [L.WIRE_HELLO]: "HELLO",
  [L.WIRE_CHALLENGE]: "CHALLENGE",
  [L.WIRE_PROOF]: "PROOF",
  [L.WIRE_ACCEPT]: "ACCEPT",
  [L.WIRE_PROCESS]: "PROCESS",
  [L.WIRE_ELEMENTS]: "ELEMENTS",
  [L.WIRE_RECORDS]: "RECORDS",
  [L.WIRE_REMOVED]: "REMOVED",
  [L.WIRE_HEADER]: "HEADER",
  [L.WIRE_COMMIT]: "COMMIT",
  [L.WIRE_ACK]: "ACK",
  [L.WIRE_REFUSE]: "REFUSE",
  [L.WIRE_STATUS]: "STATUS",
  [L.WIRE_STATUS_REPLY]: "STATUS_REPLY",
};

export function frameName(type: number): string {
  return NAMES[type] ?? `type ${type}`;
}

/** The end of one connection: what the peer did wrong, or what memdb has to refuse. */
export class WireError extends Error {
  readonly code: number;

  constructor(code: number, detail = "") {
    super(`${REASONS[code] ?? `error ${code}`}${detail && `: ${detail}`}`);
    this.code = code;
  }
}

// ── Frames ───────────────────────────────────────────────────────────────────────────────────────

/** A frame with room for a payload; the view is the payload. */
export function frame(type: number, payloadBytes: number): { bytes: Uint8Array; payload: DataView } {
  const padded = Math.ceil(payloadBytes / 8) * 8;
  const bytes = new Uint8Array(L.WIRE_FRAME_BYTES + padded);
  const view = new DataView(bytes.buffer);
  view.setUint32(L.WIRE_FRAME_LENGTH, padded, true);
  view.setUint32(L.WIRE_FRAME_TYPE, type, true);
  return { bytes, payload: new DataView(bytes.buffer, L.WIRE_FRAME_BYTES) };
}

function put(payload: DataView, offset: number, bytes: Uint8Array): void {
  new Uint8Array(payload.buffer, payload.byteOffset).set(bytes, offset);
}

export function helloFrame(nonce: Uint8Array): Uint8Array {
  const { bytes, payload } = frame(L.WIRE_HELLO, L.WIRE_HELLO_BYTES);
  payload.setUint32(L.WIRE_HELLO_MAGIC, L.WIRE_MAGIC_LOW, true);
  payload.setUint32(L.WIRE_HELLO_MAGIC + 4, L.WIRE_MAGIC_HIGH, true);
  payload.setUint16(L.WIRE_HELLO_VERSION_MAJOR, L.WIRE_VERSION_MAJOR, true);
  payload.setUint16(L.WIRE_HELLO_VERSION_MINOR, L.WIRE_VERSION_MINOR, true);
  put(payload, L.WIRE_HELLO_NONCE, nonce);
  return bytes;
}

export function challengeFrame(scheme: number, nonce: Uint8Array): Uint8Array {
  const { bytes, payload } = frame(L.WIRE_CHALLENGE, L.WIRE_CHALLENGE_BYTES);
  payload.setUint32(L.WIRE_CHALLENGE_SCHEME, scheme, true);
  put(payload, L.WIRE_CHALLENGE_NONCE, nonce);
  return bytes;
}

export function proofFrame(mac: Uint8Array): Uint8Array {
  const { bytes, payload } = frame(L.WIRE_PROOF, L.WIRE_PROOF_BYTES);
  put(payload, L.WIRE_PROOF_MAC, mac);
  return bytes;
}

export function acceptFrame(mac: Uint8Array): Uint8Array {
  const { bytes, payload } = frame(L.WIRE_ACCEPT, L.WIRE_ACCEPT_BYTES);
  put(payload, L.WIRE_ACCEPT_MAC, mac);
  return bytes;
}

export function ackFrame(sequence: bigint): Uint8Array {
  const { bytes, payload } = frame(L.WIRE_ACK, L.WIRE_ACK_BYTES);
  payload.setBigUint64(L.WIRE_ACK_SEQUENCE, sequence, true);
  return bytes;
}

export function refuseFrame(error: WireError): Uint8Array {
  const text = new TextEncoder().encode(error.message);
  const { bytes, payload } = frame(L.WIRE_REFUSE, L.WIRE_REFUSE_TEXT + text.length);
  payload.setUint32(L.WIRE_REFUSE_CODE, error.code, true);
  payload.setUint32(L.WIRE_REFUSE_LENGTH, text.length, true);
  put(payload, L.WIRE_REFUSE_TEXT, text);
  return bytes;
}

export function statusFrame(): Uint8Array {
  return frame(L.WIRE_STATUS, 0).bytes;
}

export function statusReplyFrame(json: string): Uint8Array {
  const text = new TextEncoder().encode(json);
  const { bytes, payload } = frame(L.WIRE_STATUS_REPLY, text.length);
  new Uint8Array(payload.buffer, payload.byteOffset).fill(0x20);
  put(payload, 0, text);
  return bytes;
}

// ── Token ────────────────────────────────────────────────────────────────────────────────────────

function mac(role: string, token: Uint8Array, memdbNonce: Uint8Array, peerNonce: Uint8Array): Uint8Array {
  return createHmac("sha256", token).update(role).update(memdbNonce).update(peerNonce).digest();
}

/** A sender's proof that it has the token. */
export function senderMac(token: Uint8Array, memdbNonce: Uint8Array, peerNonce: Uint8Array): Uint8Array {
  return mac("memhook sender", token, memdbNonce, peerNonce);
}

/** What memdb proves the same with. */
export function memdbMac(token: Uint8Array, memdbNonce: Uint8Array, peerNonce: Uint8Array): Uint8Array {
  return mac("memhook memdb", token, memdbNonce, peerNonce);
}

export function sameMac(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────────

export interface Frame {
  type: number;
  payload: DataView;
}

/**
 * Splits a stream into frames; for the handshake and for tools, where frames
 * are few. Who reads from strangers looks at peek() first.
 */
export class FrameReader {
  #pending = new Uint8Array(0);
  readonly #payloadMax: number;

  constructor(payloadMax: number = L.WIRE_PAYLOAD_MAX) {
    this.#payloadMax = payloadMax;
  }

  push(chunk: Uint8Array): void {
    const joined = new Uint8Array(this.#pending.length + chunk.length);
    joined.set(this.#pending);
    joined.set(chunk, this.#pending.length);
    this.#pending = joined;
  }

  /** The bytes after the frames that were taken. */
  rest(): Uint8Array {
    return this.#pending;
  }

  /** Type and length of the next frame, as soon as its first eight bytes are there. */
  peek(): { type: number; length: number } | undefined {
    if (this.#pending.length < L.WIRE_FRAME_BYTES) return undefined;
    const view = new DataView(this.#pending.buffer, this.#pending.byteOffset);
    const length = view.getUint32(L.WIRE_FRAME_LENGTH, true);
    return { type: view.getUint32(L.WIRE_FRAME_TYPE, true), length };
  }

  /** The next frame if it is complete. Throws WireError on a length that no frame has. */
  next(): Frame | undefined {
    const head = this.peek();
    if (!head) return undefined;
    const { type, length } = head;
    if (length > this.#payloadMax || length % 8 !== 0) {
      throw new WireError(L.WIRE_ERROR_LENGTH, `${frameName(type)} of ${length} bytes`);
    }
    const end = L.WIRE_FRAME_BYTES + length;
    if (this.#pending.length < end) return undefined;
    const payload = new DataView(this.#pending.buffer, this.#pending.byteOffset + L.WIRE_FRAME_BYTES, length);
    this.#pending = this.#pending.subarray(end);
    return { type, payload };
  }
}

export function bytesOf(payload: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(payload.buffer, payload.byteOffset + offset, length).slice();
}

/** Checks a HELLO's magic and version; returns the peer's nonce. */
export function readHello(payload: DataView): Uint8Array {
  if (
    payload.byteLength < L.WIRE_HELLO_BYTES ||
    payload.getUint32(L.WIRE_HELLO_MAGIC, true) !== L.WIRE_MAGIC_LOW ||
    payload.getUint32(L.WIRE_HELLO_MAGIC + 4, true) !== L.WIRE_MAGIC_HIGH
  ) {
    throw new WireError(L.WIRE_ERROR_MAGIC);
  }
  const major = payload.getUint16(L.WIRE_HELLO_VERSION_MAJOR, true);
  if (major !== L.WIRE_VERSION_MAJOR) {
    throw new WireError(L.WIRE_ERROR_VERSION, `${major}, not ${L.WIRE_VERSION_MAJOR}`);
  }
  return bytesOf(payload, L.WIRE_HELLO_NONCE, L.WIRE_NONCE_BYTES);
}

/** The text of a REFUSE. */
export function readRefusal(payload: DataView): { code: number; text: string } {
  const length = Math.min(payload.getUint32(L.WIRE_REFUSE_LENGTH, true), payload.byteLength - L.WIRE_REFUSE_TEXT);
  return {
    code: payload.getUint32(L.WIRE_REFUSE_CODE, true),
    text: new TextDecoder().decode(bytesOf(payload, L.WIRE_REFUSE_TEXT, length)),
  };
}
