// A program under memhook as memdb sees it, without the program: a socket that does the handshake, sends what a Stream
// holds, and waits for the acknowledgements.

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import * as L from "../../asm/layout.js";
import {
  bytesOf,
  type Frame,
  FrameReader,
  helloFrame,
  memdbMac,
  proofFrame,
  readRefusal,
  senderMac,
} from "../../runtime/memdb/wire.js";
import { Stream } from "../wire/stream.js";

export type Where = { host: string; port: number } | { path: string };

export class Client {
  readonly stream = new Stream();
  readonly socket: Socket;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(where: Where) {
    this.socket = connect(where);
    this.socket.on("data", (chunk: Uint8Array) => {
      this.#reader.push(chunk);
      for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) this.#frames.push(frame);
      this.#wake?.();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  /** The next frame from memdb; undefined once it has closed the connection. */
  async receive(): Promise<Frame | undefined> {
    while (this.#frames.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift();
  }

  async expect(type: number): Promise<DataView> {
    const frame = await this.receive();
    assert.ok(frame, "memdb closed the connection");
    if (frame.type === L.WIRE_REFUSE && type !== L.WIRE_REFUSE)
      assert.fail(`refused: ${readRefusal(frame.payload).text}`);
    assert.equal(frame.type, type);
    return frame.payload;
  }

  /** Waits for memdb's refusal and for the end of the connection; gives the reason. */
  async refusal(): Promise<{ code: number; text: string }> {
    for (let frame = await this.receive(); frame; frame = await this.receive()) {
      if (frame.type === L.WIRE_REFUSE) {
        const refusal = readRefusal(frame.payload);
        while (await this.receive());
        return refusal;
      }
    }
    return assert.fail("closed without a refusal");
  }

  async shake(token?: Uint8Array): Promise<this> {
    const nonce = new Uint8Array(L.WIRE_NONCE_BYTES).fill(7);
    this.socket.write(helloFrame(nonce));
    const challenge = await this.expect(L.WIRE_CHALLENGE);
    const memdbNonce = bytesOf(challenge, L.WIRE_CHALLENGE_NONCE, L.WIRE_NONCE_BYTES);
    assert.equal(
      challenge.getUint32(L.WIRE_CHALLENGE_SCHEME, true),
      token ? L.WIRE_SCHEME_HMAC_SHA256 : L.WIRE_SCHEME_NONE,
    );
    if (token) this.socket.write(proofFrame(senderMac(token, memdbNonce, nonce)));
    const accept = await this.expect(L.WIRE_ACCEPT);
    const expected = token ? memdbMac(token, memdbNonce, nonce) : new Uint8Array(L.WIRE_MAC_BYTES);
    assert.deepEqual(Buffer.from(bytesOf(accept, 0, L.WIRE_MAC_BYTES)), Buffer.from(expected));
    return this;
  }

  /** Sends what was added to the stream. */
  send(): void {
    this.socket.write(this.stream.take());
  }

  /** Sends what was added to the stream, which ends with a commit, and waits for its acknowledgement. */
  async commit(last = false): Promise<bigint> {
    this.stream.commit(last);
    this.send();
    return (await this.expect(L.WIRE_ACK)).getBigUint64(L.WIRE_ACK_SEQUENCE, true);
  }

  /** Closes the connection without a word, and waits until it is closed. */
  async cut(): Promise<void> {
    this.socket.destroy();
    while (await this.receive());
  }
}
