// Where program counters are in the source: the names of functions, and (unless only names are wanted) files,
// lines and inlined calls.
//
// Every answer comes from the very file that ran: a module's build id from the store must be the file's. If the file
// is gone or was replaced there is no name and one note, never a wrong name.

import { SECTION_DYNSYM, SECTION_SYMTAB } from "../asm/symbols/layout.js";
import { DebugInformation } from "./dwarf.js";
import { ElfError, ElfFile } from "./elffile.js";
import { OutOfMemory, SymbolCore } from "./symbolcore.js";
import { functionNames } from "./symboltable.js";
import type { CodeLocation, ModuleInfo } from "./types.js";

export interface SymbolRequest {
  module: ModuleInfo;
  /** Address in the module's own terms, as the ELF file has it. */
  offset: bigint;
  /** The instruction itself; otherwise a return address: looked up one byte before, where the call is. */
  exact: boolean;
}

export interface SymbolizerOptions {
  /** File, line and inlined calls too (default); false: function names only, which is much faster. */
  lines?: boolean;
}

const UNKNOWN: readonly CodeLocation[] = [{ function: null, file: null, line: null, inlined: false }];

/** A module of the store, its files once they were looked for, and what is known about its addresses. */
interface Module {
  info: ModuleInfo;
  file: ElfFile | null | undefined;
  debug: DebugInformation | null;
  known: Map<bigint, CodeLocation[]>;
}

export class Symbolizer {
  /** What stood in the way, one line each, at most one for a module and reason. */
  readonly notes: string[] = [];
  readonly #core = new SymbolCore();
  readonly #modules = new Map<string, Module>();

  readonly #lines: boolean;

  constructor({ lines = true }: SymbolizerOptions = {}) {
    this.#lines = lines;
  }

  /**
   * The locations of each request: the innermost inlined call first, the physical function last; at least
   * one, whose function is null when nothing is known. What is missing is said in `notes`.
   */
  async symbolize(requests: readonly SymbolRequest[]): Promise<CodeLocation[][]> {
    const wanted = new Map<Module, Set<bigint>>();
    const places = requests.map(({ module, offset, exact }) => {
      const known = this.#module(module);
      const address = exact ? offset : offset - 1n;
      if (!known.known.has(address)) {
        const addresses = wanted.get(known);
        if (addresses === undefined) wanted.set(known, new Set([address]));
        else addresses.add(address);
      }
      return { known: known.known, address };
    });
    for (const [module, addresses] of wanted) this.#resolve(module, addresses);
    return places.map(({ known, address }) => known.get(address) ?? [...UNKNOWN]);
  }

  /** Closes the files it has open. */
  close(): void {
    for (const { file } of this.#modules.values()) file?.close();
    this.#modules.clear();
  }

  /** Two entries of the store may be one file, loaded twice. */
  #module(info: ModuleInfo): Module {
    const key = `${hex(info.buildId)} ${info.path}`;
    let module = this.#modules.get(key);
    if (module === undefined) {
      module = { info, file: undefined, debug: null, known: new Map() };
      this.#modules.set(key, module);
    }
    return module;
  }

  #resolve(module: Module, wanted: Set<bigint>): void {
    module.file ??= this.#open(module.info);
    const file = module.file;
    if (file === null) return;
    const addresses = BigUint64Array.from(wanted).sort();
    try {
      const names = this.#names(file, addresses);
      const places = this.#lines ? this.#places(module, file, addresses) : [];
      addresses.forEach((address, index) => {
        const locations = places[index] ?? [{ function: null, file: null, line: null, inlined: false }];
        // The symbol table knows more about the function itself: foo.constprop.0, foo.cold.
        const last = locations[locations.length - 1]!;
        last.function = names[index] ?? last.function;
        module.known.set(address, locations);
      });
    } catch (error) {
      if (!(error instanceof OutOfMemory)) throw error;
      this.#note(`${module.info.path}: its symbol table is too large`);
    }
  }

  #names(file: ElfFile, addresses: BigUint64Array): (string | null)[] {
    const kind = file.section(SECTION_SYMTAB) !== null ? SECTION_SYMTAB : SECTION_DYNSYM;
    return functionNames(this.#core, file, kind, addresses);
  }

  #places(module: Module, file: ElfFile, addresses: BigUint64Array): (CodeLocation[] | null)[] {
    module.debug ??= new DebugInformation(this.#core, file);
    const places = module.debug.locate(addresses);
    for (const problem of module.debug.problems) this.#note(`${module.info.path}: ${problem}`);
    return places;
  }

  #open(info: ModuleInfo): ElfFile | null {
    // The vDSO is no file; nothing allocates there.
    if (info.vdso || info.path === "") return null;
    let file: ElfFile;
    try {
      file = new ElfFile(this.#core, info.path);
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      this.#note(`${info.path}: ${error.message}: its functions have no names`);
      return null;
    }
    if (!equal(file.buildId, info.buildId)) {
      const was = info.buildId.length > 0 ? hex(info.buildId) : "none";
      const is = file.buildId.length > 0 ? hex(file.buildId) : "none";
      this.#note(`${info.path}: changed since the run (build id ${was} then, ${is} now): its functions have no names`);
      file.close();
      return null;
    }
    return file;
  }

  #note(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

function equal(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
