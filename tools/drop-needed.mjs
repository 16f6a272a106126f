// Removes a name from a shared library's list of needed libraries.
//
//   node tools/drop-needed.mjs build/lib/x86_64-musl/libmemhook.so libc.so
//
// The linker writes musl's name for the C library, libc.so, into what is linked for musl. A process that runs musl has
// musl's C library already. But a program of musl may start one of glibc (system() on Debian), which inherits
// LD_PRELOAD and would end with an error because it lacks that name, while the symbols themselves are in every C
// library.
import { readFileSync, writeFileSync } from "node:fs";

const SHT_DYNAMIC = 6;
const DT_NEEDED = 1n;
const ENTRY = 16;

const [path, name] = process.argv.slice(2);
const elf = readFileSync(path);
const u64 = (offset) => Number(elf.readBigUInt64LE(offset));
const section = (index) => u64(40) + index * elf.readUInt16LE(58);

const index = Array.from({ length: elf.readUInt16LE(60) }, (_, i) => section(i)).find(
  (header) => elf.readUInt32LE(header + 4) === SHT_DYNAMIC,
);
const [start, bytes, strings] = [u64(index + 24), u64(index + 32), u64(section(elf.readUInt32LE(index + 40)) + 24)];
const isNamed = (entry) => {
  const at = strings + Number(entry.readBigUInt64LE(8));
  return entry.readBigUInt64LE(0) === DT_NEEDED && elf.toString("latin1", at, elf.indexOf(0, at)) === name;
};
const entries = Array.from({ length: bytes / ENTRY }, (_, i) =>
  Buffer.from(elf.subarray(start + i * ENTRY, start + (i + 1) * ENTRY)),
);
// The list ends at the first entry of zeros.
elf.fill(0, start, start + bytes);
Buffer.concat(entries.filter((entry) => !isNamed(entry))).copy(elf, start);
writeFileSync(path, elf);
