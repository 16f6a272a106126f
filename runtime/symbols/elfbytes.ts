// The bytes of an ELF file: on disk, read piece by piece, or in memory if they were compressed in another file.

import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";

/** Why a file is of no use; the message is fit for a note. */
export class ElfError extends Error {}

export const NO_SUCH_FILE = "no such file";

export interface ElfBytes {
  readonly size: number;
  /** Reads exactly target.length bytes from an offset on. False if there are not as many. */
  read(target: Uint8Array, offset: number): boolean;
  close(): void;
}

export class FileBytes implements ElfBytes {
  readonly size: number;
  readonly inode: bigint;
  /** When it was written last, nanoseconds since 1970. */
  readonly written: bigint;
  /**
   * When it was written, renamed or given other permissions last; 0n if it has no name, or the runtime does not tell.
   */
  readonly changed: bigint;
  readonly #descriptor: number;

  /** @throws ElfError if there is no such file, or it cannot be read */
  constructor(path: string) {
    try {
      // Looked at before it is opened: opening a pipe would wait for a writer.
      if (!statSync(path).isFile()) throw new ElfError("not a regular file");
      this.#descriptor = openSync(path, "r");
    } catch (error) {
      throw error instanceof ElfError ? error : new ElfError(reason(error));
    }
    const status = fstatSync(this.#descriptor, { bigint: true });
    this.size = Number(status.size);
    this.inode = status.ino;
    this.written = status.mtimeNs;
    // That it was removed is no change to it.
    this.changed = status.nlink > 0n ? (status.ctimeNs ?? 0n) : 0n;
  }

  read(target: Uint8Array, offset: number): boolean {
    // Offsets come from the file; the system would refuse the wildest ones.
    if (offset + target.length > this.size) return false;
    let done = 0;
    while (done < target.length) {
      const got = readSync(this.#descriptor, target, done, target.length - done, offset + done);
      if (got === 0) return false;
      done += got;
    }
    return true;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

export class MemoryBytes implements ElfBytes {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  read(target: Uint8Array, offset: number): boolean {
    if (offset + target.length > this.size) return false;
    target.set(this.#bytes.subarray(offset, offset + target.length));
    return true;
  }

  close(): void {}
}

/** What went wrong in one phrase, without the path: the note has it already. */
export function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  if (code === "ENOENT" || code === "ENOTDIR") return NO_SUCH_FILE;
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  return error instanceof Error ? error.message : String(error);
}
