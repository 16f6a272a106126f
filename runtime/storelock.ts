// A memdb's hold on its path: two that keep stores at one path would replace each other's files.
//
// The file beside the path, app.mem.lock, names its holder. From a holder that is gone, killed perhaps, it is taken over; one
// that cannot be seen from here, in another container, is no obstacle, because it may have been killed as well.

import { closeSync, constants, openSync, readFileSync, rmSync, unlinkSync, writeSync } from "node:fs";
import { type Identity, liveness, ownIdentity } from "./liveness.js";

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK } = constants;

export class StoreLock {
  readonly #file: string;

  /** @throws Error when another memdb has the path, or nothing can be written there; the message is one line for the user. */
  constructor(path: string) {
    this.#file = `${path}.lock`;
    if (this.#make(path)) return;
    const holder = this.#holder();
    if (!holder)
      throw new Error(`${this.#file}: there is something that is no memdb's; remove it or name another path`);
    if (liveness(holder) === "running") {
      throw new Error(`${path}: another memdb (pid ${holder.pid}) keeps its stores there; name another path or end it`);
    }
    unlinkSync(this.#file);
    if (!this.#make(path)) throw new Error(`${path}: another memdb has just started there; name another path`);
  }

  release(): void {
    // Its folder may be gone by now.
    rmSync(this.#file, { force: true });
  }

  #make(path: string): boolean {
    let file: number;
    try {
      file = openSync(this.#file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    } catch (error) {
      if ((error as { code?: string }).code === "EEXIST") return false;
      throw new Error(`${path}: nothing can be written there: ${(error as Error).message}`);
    }
    const { pid, start, namespace, bootId } = ownIdentity();
    writeSync(file, `${pid} ${start} ${namespace} ${Buffer.from(bootId).toString("hex")}\n`);
    closeSync(file);
    return true;
  }

  #holder(): Identity | undefined {
    let file: number;
    try {
      file = openSync(this.#file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    } catch {
      return undefined;
    }
    try {
      const [, pid, start, namespace, bootId] =
        /^(\d+) (\d+) (\d+) ([0-9a-f]{32})\n$/.exec(readFileSync(file, "latin1")) ?? [];
      if (!pid || !start || !namespace || !bootId) return undefined;
      return {
        pid: Number(pid),
        start: BigInt(start),
        namespace: BigInt(namespace),
        bootId: Buffer.from(bootId, "hex"),
      };
    } finally {
      closeSync(file);
    }
  }
}
