// The ELF files of a process, and where their variables are, from their headers in memory.

import {
  ELF_HEADER_BYTES,
  elfHeader,
  headerBytes,
  isElf,
  PF_W,
  PT_LOAD,
  programHeader,
} from "../symbols/programheaders.js";
import type { Look, Mapping, Range } from "./helper.js";
import { intersect } from "./ranges.js";

export interface Module {
  path: string;
  /** What the loader added to its addresses. */
  bias: number;
  /** Its variables: the parts that are writable, or were until relocation. */
  data: Range[];
}

const PROGRAM_HEADER_BYTES = headerBytes(true);
const HEADERS_MAX = 64;
const HEAD_BYTES = ELF_HEADER_BYTES + HEADERS_MAX * PROGRAM_HEADER_BYTES;

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
  if (bytes < ELF_HEADER_BYTES || !isElf(head)) return undefined;
  const { wide, table, entryBytes, ...header } = elfHeader(head);
  const count = Math.min(header.count, HEADERS_MAX);
  if (!wide || entryBytes !== PROGRAM_HEADER_BYTES || table + count * entryBytes > bytes) return undefined;
  let bias: number | undefined;
  const data: Range[] = [];
  for (let at = table; at < table + count * entryBytes; at += entryBytes) {
    const { type, flags, ...loaded } = programHeader(head, at, wide);
    if (type !== PT_LOAD) continue;
    const address = Number(loaded.address);
    // The first segment is the one that the file's beginning is in.
    bias ??= start - (address - (address % 4096));
    if ((flags & PF_W) === 0) continue;
    const segment = { start: bias + address, end: bias + address + Number(loaded.memoryBytes) };
    for (const mapping of look.mappings) {
      // What the file's pages do not fill is anonymous. A file that is only looked at is not mapped so.
      if (mapping.shared || (mapping.file !== "" && mapping.file !== file)) continue;
      if (mapping.end > segment.start && mapping.start < segment.end) data.push(...intersect(segment, mapping));
    }
  }
  return bias === undefined ? undefined : { path, bias, data };
}
