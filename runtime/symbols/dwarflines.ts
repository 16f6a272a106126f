// Runs the line program of a unit once for all its addresses: a file and a line for each, and the names of the files.

import {
  HINT_BYTES,
  HINT_FILE,
  HINT_LINE,
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
  ROW_TIED,
} from "../../asm/symbols/layout.js";
import type { Declaration } from "./dwarfnames.js";
import type { DwarfReader } from "./dwarfreader.js";

interface Row {
  file: number;
  line: number;
  /** The linker folded functions into one: each of them has a row for the query, of which this is one. */
  tied: boolean;
}

export interface Lines {
  /** A row for each query, null where the program has none. */
  rows: (Row | null)[];
  /** The path of a file by its number. */
  path: (file: number) => string | null;
}

export function noLines(count: number): Lines {
  return { rows: Array(count).fill(null), path: () => null };
}

/**
 * Runs the line program at an offset of .debug_line for the reader's queries.
 * @param directory where the unit was compiled: relative paths begin there
 * @param functions for each query the declaration of the function whose row it is to be, where that is known
 * @param folders gets that directory for each file that is named
 */
export function runLines(
  reader: DwarfReader,
  offset: bigint,
  count: number,
  directory: string,
  folders: Map<string, string>,
  functions?: readonly (Declaration | undefined)[],
): Lines {
  const { core } = reader;
  const hints = functions === undefined ? 0 : core.reserve(count * HINT_BYTES);
  for (const [index, declaration] of functions?.entries() ?? []) {
    core.view.setUint32(hints + index * HINT_BYTES + HINT_FILE, declaration?.file ?? 0, true);
    core.view.setUint32(hints + index * HINT_BYTES + HINT_LINE, declaration?.line ?? 0, true);
  }
  const out = core.reserve(count * ROW_BYTES);
  reader.do(core.call.unitLines(offset, out, hints));
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
    const number = (field: number) => core.view.getUint32(at + field, true);
    return { file: number(ROW_FILE), line: number(ROW_LINE), tied: number(ROW_TIED) !== 0 };
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
