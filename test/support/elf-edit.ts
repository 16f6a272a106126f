// Edits 64-bit ELF files as patchelf and llvm-bolt do: the program headers move behind everything else, and segments
// are added.

export const PT_NULL = 0;
export const PT_LOAD = 1;
export const PT_NOTE = 4;
const PT_PHDR = 6;
const SEGMENT_BYTES = 56;

export interface Segment {
  type: number;
  flags: number;
  offset: number;
  address: number;
  bytes: number;
  align: number;
}

function read(elf: Buffer): Segment[] {
  const at = Number(elf.readBigUInt64LE(32));
  return Array.from({ length: elf.readUInt16LE(56) }, (_, i) => {
    const u64 = (field: number) => Number(elf.readBigUInt64LE(at + i * SEGMENT_BYTES + field));
    const u32 = (field: number) => elf.readUInt32LE(at + i * SEGMENT_BYTES + field);
    return { type: u32(0), flags: u32(4), offset: u64(8), address: u64(16), bytes: u64(32), align: u64(48) };
  });
}

/**
 * The same file with its program headers at `offset`, and `content` right behind them.
 * @param address where that is loaded; null: it is not
 * @param edit changes the segments; `contentAt`: the place of `content`, in the file and when loaded
 * @param room for how many more there is
 */
export function moveHeaders(
  elf: Buffer,
  offset: number,
  address: number | null,
  content: Buffer = Buffer.alloc(0),
  edit: (segments: Segment[], contentAt: { offset: number; address: number }) => Segment[] = (segments) => segments,
  room = 4,
): Buffer {
  const memory = new Map<Segment, bigint>();
  const old = read(elf);
  const oldAt = Number(elf.readBigUInt64LE(32));
  for (const [i, segment] of old.entries()) memory.set(segment, elf.readBigUInt64LE(oldAt + i * SEGMENT_BYTES + 40));
  const tableBytes = (old.length + room) * SEGMENT_BYTES;
  const contentAt = { offset: offset + tableBytes, address: (address ?? 0) + tableBytes };
  const segments = edit(old, contentAt).filter(({ type }) => type !== PT_PHDR || address !== null);
  for (const segment of segments) {
    if (segment.type === PT_PHDR) Object.assign(segment, { offset, address, bytes: tableBytes });
  }
  if (address !== null) {
    const last = segments.findLastIndex(({ type }) => type === PT_LOAD);
    const bytes = tableBytes + content.length;
    segments.splice(last + 1, 0, { type: PT_LOAD, flags: 4, offset, address, bytes, align: 4096 });
  }
  const result = Buffer.alloc(offset + tableBytes + content.length);
  elf.copy(result);
  segments.forEach((segment, i) => {
    const at = offset + i * SEGMENT_BYTES;
    result.writeUInt32LE(segment.type, at);
    result.writeUInt32LE(segment.flags, at + 4);
    const bytes = BigInt(segment.bytes);
    const fields = [
      segment.offset,
      segment.address,
      segment.address,
      bytes,
      memory.get(segment) ?? bytes,
      segment.align,
    ];
    fields.forEach((field, j) => void result.writeBigUInt64LE(BigInt(field), at + 8 + j * 8));
  });
  content.copy(result, contentAt.offset);
  result.writeBigUInt64LE(BigInt(offset), 32);
  result.writeUInt16LE(segments.length, 56);
  return result;
}

/** One note, padded as in a segment of this alignment. */
export function note(name: string, type: number, content: Buffer, align = 4): Buffer {
  const padded = (bytes: number) => Math.ceil(bytes / align) * align;
  const contentAt = padded(12 + name.length + 1);
  const result = Buffer.alloc(padded(contentAt + content.length));
  result.writeUInt32LE(name.length + 1, 0);
  result.writeUInt32LE(content.length, 4);
  result.writeUInt32LE(type, 8);
  result.write(name, 12);
  content.copy(result, contentAt);
  return result;
}
