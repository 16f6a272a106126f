// Executable files written by hand: ELF headers with nothing behind them, scripts.

import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makers of such files in a folder; each gives the file's path. */
export function madeFiles(folder: string) {
  function executable(name: string, contents: string | Uint8Array, mode = 0o755): string {
    const path = join(folder, name);
    writeFileSync(path, contents);
    chmodSync(path, mode);
    return path;
  }

  /** An ELF header and, if it has an interpreter, the program header for it. `bytes`: no more than these of it. */
  function elf(
    name: string,
    bits: 32 | 64,
    machine: number,
    interpreter?: string,
    { bigEndian = false, bytes = 256, mode = 0o755 }: { bigEndian?: boolean; bytes?: number; mode?: number } = {},
  ): string {
    const file = Buffer.alloc(256);
    file.set([0x7f, 0x45, 0x4c, 0x46, bits / 32, bigEndian ? 2 : 1, 1]);
    if (bigEndian) file.writeUInt16BE(machine, 18);
    else file.writeUInt16LE(machine, 18);
    const table = 64;
    const text = 160;
    if (bits === 64) {
      file.writeBigUInt64LE(BigInt(table), 32);
      file.writeUInt16LE(56, 54);
      file.writeUInt16LE(interpreter ? 1 : 0, 56);
      file.writeUInt32LE(3, table);
      file.writeBigUInt64LE(BigInt(text), table + 8);
      file.writeBigUInt64LE(BigInt((interpreter ?? "").length + 1), table + 32);
    } else {
      file.writeUInt32LE(table, 28);
      file.writeUInt16LE(32, 42);
      file.writeUInt16LE(interpreter ? 1 : 0, 44);
      file.writeUInt32LE(3, table);
      file.writeUInt32LE(text, table + 4);
      file.writeUInt32LE((interpreter ?? "").length + 1, table + 16);
    }
    file.write(`${interpreter ?? ""}\0`, text);
    return executable(name, file.subarray(0, bytes), mode);
  }

  return { executable, elf };
}
