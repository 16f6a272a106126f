// The line program of a unit, run once for all its addresses: a file and a line for each, and the names of the files.

import {
  LINES_DIRECTORIES,
  LINES_DIRECTORY_COUNT,
  LINES_FILE_COUNT,
  LINES_FILES,
  LINES_VERSION,
  PATH_BYTES,
  PATH_DIRECTORY,
  PATH_KIND,
  PATH_OFFSET,
  ROW_BYTES,
  ROW_FILE,
  ROW_FOUND,
  ROW_LINE,
} from "../asm/symbols/layout.js";
import type { DwarfReader } from "./dwarfreader.js";

export interface Lines {
  /** A row for each query, null where the program has none. */
  rows: ({ file: number; line: number } | null)[];
  /** The path of a file by its number. */
  path: (file: number) => string | null;
}

export function noLines(count: number): Lines {
  return { rows: Array(count).fill(null), path: () => null };
}

/**
 * Runs the line program at an offset of .debug_line for the reader's queries.
 * @param directory where the unit was compiled: relative paths begin there
 * @param folders gets that directory for each file that is named
 */
export function runLines(
  reader: DwarfReader,
  offset: bigint,
  count: number,
  directory: string,
  folders: Map<string, string>,
): Lines {
  const { core } = reader;
  const out = core.reserve(count * ROW_BYTES);
  reader.do(core.call.unitLines(offset, out));
  const oldForm = core.number(LINES_VERSION) < 5 ? 1 : 0;
  // Copies: paths are asked for when the memory has other things in it.
  const table = (address: number, length: number) => {
    const bytes = core.bytes(core.number(address), core.number(length) * PATH_BYTES).slice();
    return new DataView(bytes.buffer);
  };
  const directories = table(LINES_DIRECTORIES, LINES_DIRECTORY_COUNT);
  const files = table(LINES_FILES, LINES_FILE_COUNT);
  const name = (paths: DataView, index: number) => {
    const at = (index - oldForm) * PATH_BYTES;
    if (at < 0 || at >= paths.byteLength) return null;
    const text = reader.string(
      paths.getUint32(at + PATH_KIND, true),
      Number(paths.getBigUint64(at + PATH_OFFSET, true)),
    );
    return { text, directory: paths.getUint32(at + PATH_DIRECTORY, true) };
  };
  const known = new Map<number, string | null>();
  const path = (index: number) => {
    let path = known.get(index);
    if (path === undefined) {
      const file = name(files, index);
      path = file?.text ? join(directory, name(directories, file.directory)?.text ?? "", file.text) : null;
      if (path !== null) folders.set(path, directory);
      known.set(index, path);
    }
    return path;
  };
  const rows = Array.from({ length: count }, (_, index) => {
    const at = out + index * ROW_BYTES;
    if (core.view.getUint32(at + ROW_FOUND, true) === 0) return null;
    return { file: core.view.getUint32(at + ROW_FILE, true), line: core.view.getUint32(at + ROW_LINE, true) };
  });
  return { rows, path };
}

function join(...parts: string[]): string {
  let path = "";
  for (const part of parts) {
    if (part.startsWith("/") || path === "") path = part;
    else if (part !== "") path = path.endsWith("/") ? path + part : `${path}/${part}`;
  }
  return path;
}
