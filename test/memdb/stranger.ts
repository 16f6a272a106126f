// Another user of this machine who connects to memdb: a shell of nobody's,
// which carries what the test writes to memdb and back.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as L from "../../asm/layout.js";
import { type Frame, FrameReader, readRefusal } from "../../runtime/memdb/wire.js";
import { after } from "../support/after.js";
import { Stream } from "../wire/stream.js";

export const NOBODY = 65534;

/** Why tests with two users cannot be run here: a test's skip. */
export const oneUser: string | false =
  process.geteuid?.() !== 0
    ? "needs root, to become another user"
    : spawnSync("bash", ["-c", "test $UID = 65534"], { uid: NOBODY, gid: NOBODY }).status !== 0 &&
      "cannot become another user";

const running = new Set<ChildProcess>();
after(() => {
  for (const child of running) child.kill("SIGKILL");
});

export class Stranger {
  readonly stream = new Stream();
  readonly #child: ChildProcess;
  readonly #reader = new FrameReader();
  readonly #frames: Frame[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor({ port }: { port: number }) {
    const carry = "exec 3<>/dev/tcp/127.0.0.1/$0 || exit; { cat <&3; kill $$; } & back=$!; cat >&3; kill $back";
    this.#child = spawn("bash", ["-c", carry, String(port)], { uid: NOBODY, gid: NOBODY, stdio: "pipe" });
    running.add(this.#child);
    this.#child.stdin!.on("error", () => {});
    this.#child.stdout!.on("data", (chunk: Uint8Array) => {
      this.#reader.push(chunk);
      for (let frame = this.#reader.next(); frame; frame = this.#reader.next()) this.#frames.push(frame);
      this.#wake?.();
    });
    this.#child.on("exit", () => running.delete(this.#child));
    this.#child.stdout!.on("end", () => {
      this.#closed = true;
      this.#wake?.();
    });
  }

  /** The process that connects. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** Sends what was added to the stream. */
  send(): void {
    this.#child.stdin!.write(this.stream.take());
  }

  async receive(): Promise<Frame | undefined> {
    while (this.#frames.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.#frames.shift();
  }

  /** Waits for a frame of this type, past others. */
  async until(type: number): Promise<DataView> {
    for (let frame = await this.receive(); frame; frame = await this.receive()) {
      if (frame.type === type) return frame.payload;
      if (frame.type === L.WIRE_REFUSE) assert.fail(`refused: ${readRefusal(frame.payload).text}`);
    }
    return assert.fail("memdb closed the connection");
  }

  async refusal(): Promise<{ code: number; text: string }> {
    return readRefusal(await this.until(L.WIRE_REFUSE));
  }

  end(): void {
    this.#child.stdin!.end();
  }
}
