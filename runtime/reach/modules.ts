// The ELF files of a process, and where their variables are, from their headers in memory.

import type { Look, Mapping, Range } from "./helper.js";
import { intersect } from "./ranges.js";

export interface Module {
  path: string;
  /** What the loader added to its addresses. */
  bias: number;
  /** Its variables: the parts that are writable, or were until relocation. */
  data: Range[];
}

const ELF_MAGIC = 0x464c457f;
const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const HEADERS_MAX = 64;
const HEAD_BYTES = HEADER_BYTES + HEADERS_MAX * PROGRAM_HEADER_BYTES;
const PT_LOAD = 1;
const PF_W = 2;

/** Every mapping that begins a file is asked whether it is one. */
export async function modulesOf(look: Look): Promise<Module[]> {
  const begins = look.mappings.filter(
    ({ file, offset, shared, device, readable }) => file !== "" && offset === 0 && !shared && !device && readable,
  );
  const heads = await look.getAll(begins.map(({ start, end }) => ({ start, end: Math.min(end, start + HEAD_BYTES) })));
  return begins.flatMap((first, i) => moduleAt(look, first, heads[i]!) ?? []);
}

function moduleAt(look: Look, { start, path, file }: Mapping, head: DataView): Module | undefined {
  const bytes = head.byteLength;
  if (bytes < HEADER_BYTES) return undefined;
  if (head.getUint32(0, true) !== ELF_MAGIC || head.getUint8(4) !== 2) return undefined;
  const at = Number(head.getBigUint64(32, true));
  const count = Math.min(head.getUint16(56, true), HEADERS_MAX);
  if (head.getUint16(54, true) !== PROGRAM_HEADER_BYTES || at + count * PROGRAM_HEADER_BYTES > bytes) return undefined;
  let bias: number | undefined;
  const data: Range[] = [];
  for (let header = at; header < at + count * PROGRAM_HEADER_BYTES; header += PROGRAM_HEADER_BYTES) {
    if (head.getUint32(header, true) !== PT_LOAD) continue;
    const address = Number(head.getBigUint64(header + 16, true));
    // The first segment is the one that the file's beginning is in.
    bias ??= start - (address - (address % 4096));
    if ((head.getUint32(header + 4, true) & PF_W) === 0) continue;
    const memory = Number(head.getBigUint64(header + 40, true));
    const segment = { start: bias + address, end: bias + address + memory };
    for (const mapping of look.mappings) {
      // What the file's pages do not fill is anonymous. A file that is only looked at is not mapped so.
      if (mapping.shared || (mapping.file !== "" && mapping.file !== file)) continue;
      if (mapping.end > segment.start && mapping.start < segment.end) data.push(...intersect(segment, mapping));
    }
  }
  return bias === undefined ? undefined : { path, bias, data };
}
