// Builds small ELF files from a description, and .xz files, so that tests of
// the symbolizer say exactly what is in a file.

import { Buffer } from "node:buffer";
import type { FileIdentity } from "../../../runtime/host/types.js";
import { FileBytes } from "../../../runtime/symbols/elfbytes.js";
import { ElfFile } from "../../../runtime/symbols/elffile.js";
import { SymbolCore } from "../../../runtime/symbols/symbolcore.js";

export interface FakeSymbol {
  name: string;
  value: number;
  size: number;
  /** Function unless said otherwise. */
  type?: "function" | "notype" | "object" | "ifunc";
  local?: boolean;
  /** In .text unless said otherwise. */
  section?: ".text" | ".data" | "undefined";
}

export interface FakeElf {
  bits?: 32 | 64;
  machine?: number;
  symbols?: FakeSymbol[];
  /** In .dynsym rather than .symtab. */
  dynamic?: boolean;
  buildId?: Uint8Array;
  debuglink?: { name: string; checksum: number };
  /** Others, by name: debug sections. */
  sections?: Record<string, Uint8Array>;
}

export const TEXT_ADDRESS = 0x1000;
export const TEXT_BYTES = 0x1000;

const TYPES = { notype: 0, object: 1, function: 2, ifunc: 10 };

interface Part {
  name: string;
  type: number;
  flags: number;
  address: number;
  size: number;
  content: Buffer;
  link: number;
  entryBytes: number;
}

/**
 * An ELF file with .text, .data, a symbol table, and if wanted a build id, a link to a debug file and more sections.
 */
export function elf({
  bits = 64,
  machine = 62,
  symbols = [],
  dynamic,
  buildId,
  debuglink,
  sections = {},
}: FakeElf): Buffer {
  const wide = bits === 64;
  const strings = [""];
  const offsets = new Map<string, number>();
  let stringBytes = 1;
  for (const { name } of symbols) {
    offsets.set(name, stringBytes);
    strings.push(name);
    stringBytes += Buffer.byteLength(name) + 1;
  }
  const sectionNumbers = { ".text": 1, ".data": 2, undefined: 0 };
  const table = Buffer.alloc((symbols.length + 1) * (wide ? 24 : 16));
  for (const [index, { name, value, size, type = "function", local, section = ".text" }] of symbols.entries()) {
    const at = (index + 1) * (wide ? 24 : 16);
    const info = (local ? 0 : 16) | TYPES[type];
    table.writeUInt32LE(offsets.get(name)!, at);
    if (wide) {
      table.writeUInt8(info, at + 4);
      table.writeUInt16LE(sectionNumbers[section], at + 6);
      table.writeBigUInt64LE(BigInt(value), at + 8);
      table.writeBigUInt64LE(BigInt(size), at + 16);
    } else {
      table.writeUInt32LE(value, at + 4);
      table.writeUInt32LE(size, at + 8);
      table.writeUInt8(info, at + 12);
      table.writeUInt16LE(sectionNumbers[section], at + 14);
    }
  }
  const part = (name: string, type: number, content: Buffer, more: Partial<Part> = {}): Part => ({
    name,
    type,
    content,
    flags: 0,
    address: 0,
    size: content.length,
    link: 0,
    entryBytes: 0,
    ...more,
  });
  const parts = [
    part(".text", 1, Buffer.alloc(TEXT_BYTES, 0x90), { flags: 6, address: TEXT_ADDRESS }),
    part(".data", 1, Buffer.alloc(16), { flags: 3, address: 0x4000 }),
    part(dynamic ? ".dynsym" : ".symtab", dynamic ? 11 : 2, table, { link: 4, entryBytes: wide ? 24 : 16 }),
    part(dynamic ? ".dynstr" : ".strtab", 3, Buffer.from(`${strings.join("\0")}\0`)),
  ];
  if (buildId !== undefined) {
    const note = Buffer.alloc(16 + ((buildId.length + 3) & ~3));
    note.writeUInt32LE(4, 0);
    note.writeUInt32LE(buildId.length, 4);
    note.writeUInt32LE(3, 8);
    note.write("GNU\0", 12);
    note.set(buildId, 16);
    parts.push(part(".note.gnu.build-id", 7, note));
  }
  if (debuglink !== undefined) {
    const length = (Buffer.byteLength(debuglink.name) + 4) & ~3;
    const link = Buffer.alloc(length + 4);
    link.write(debuglink.name);
    link.writeUInt32LE(debuglink.checksum, length);
    parts.push(part(".gnu_debuglink", 1, link));
  }
  for (const [name, content] of Object.entries(sections)) parts.push(part(name, 1, Buffer.from(content)));
  return assemble(wide, machine, parts, part);
}

function assemble(
  wide: boolean,
  machine: number,
  parts: Part[],
  part: (name: string, type: number, content: Buffer) => Part,
): Buffer {
  const names = ["", ...parts.map(({ name }) => name), ".shstrtab"];
  const nameOffsets: number[] = [];
  let nameBytes = 0;
  for (const name of names) {
    nameOffsets.push(nameBytes);
    nameBytes += name.length + 1;
  }
  parts.push(part(".shstrtab", 3, Buffer.from(`${names.join("\0")}\0`)));
  const headerBytes = wide ? 64 : 52;
  const entryBytes = wide ? 64 : 40;
  const chunks: Buffer[] = [Buffer.alloc(headerBytes)];
  let length = headerBytes;
  const entries = [Buffer.alloc(entryBytes)];
  for (const [index, { type, flags, address, size, content, link, entryBytes: each }] of parts.entries()) {
    const entry = Buffer.alloc(entryBytes);
    const words = [address, length, size];
    entry.writeUInt32LE(nameOffsets[index + 1]!, 0);
    entry.writeUInt32LE(type, 4);
    if (wide) {
      entry.writeBigUInt64LE(BigInt(flags), 8);
      for (const [i, word] of words.entries()) entry.writeBigUInt64LE(BigInt(word), 16 + i * 8);
      entry.writeUInt32LE(link, 40);
      entry.writeBigUInt64LE(BigInt(each), 56);
    } else {
      entry.writeUInt32LE(flags, 8);
      for (const [i, word] of words.entries()) entry.writeUInt32LE(word, 12 + i * 4);
      entry.writeUInt32LE(link, 24);
      entry.writeUInt32LE(each, 36);
    }
    entries.push(entry);
    chunks.push(content, Buffer.alloc(-(length + content.length) & 7));
    length += content.length + (-(length + content.length) & 7);
  }
  const header = chunks[0]!;
  header.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(machine, 18);
  if (wide) header.writeBigUInt64LE(BigInt(length), 40);
  else header.writeUInt32LE(length, 32);
  const rest = wide ? 58 : 46;
  header.writeUInt16LE(entryBytes, rest);
  header.writeUInt16LE(entries.length, rest + 2);
  header.writeUInt16LE(entries.length - 1, rest + 4);
  return Buffer.concat([...chunks, ...entries]);
}

/** An .xz file with this content, which is stored in it as it is. */
export function xz(content: Uint8Array): Buffer {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += 65536) {
    const piece = content.subarray(at, at + 65536);
    // LZMA2: plain data, after a reset of the dictionary or not.
    chunks.push(Uint8Array.of(at === 0 ? 1 : 2, (piece.length - 1) >> 8, piece.length - 1), piece);
  }
  const data = Buffer.concat([...chunks, Uint8Array.of(0)]);
  const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
  const checked = (bytes: Uint8Array) => Buffer.concat([bytes, word(crc32(bytes))]);
  const flags = Uint8Array.of(0, 1);
  const blockHeader = checked(Uint8Array.of(2, 0, 0x21, 1, 22, 0, 0, 0));
  const sizes = [...varying(blockHeader.length + data.length + 4), ...varying(content.length)];
  const index = checked(padded(Uint8Array.of(0, 1, ...sizes)));
  const footer = Buffer.concat([word(index.length / 4 - 1), flags]);
  return Buffer.concat([
    Uint8Array.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0),
    checked(flags),
    blockHeader,
    padded(data),
    word(crc32(content)),
    index,
    word(crc32(footer)),
    footer,
    Buffer.from("YZ"),
  ]);
}

function varying(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varying(value >>> 7)];
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

/** Which file is at a path, as the library would have stored it; null if none can be read. */
export function identityOf(path: string): FileIdentity | null {
  try {
    const bytes = new FileBytes(path);
    const file = new ElfFile(new SymbolCore(), path, bytes);
    const layout = file.layout();
    file.close();
    return { inode: bytes.inode, bytes: BigInt(bytes.size), written: bytes.written, seen: bytes.changed, layout };
  } catch {
    return null;
  }
}
