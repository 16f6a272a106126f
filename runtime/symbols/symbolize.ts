// From program counters to the source: function names and, unless only names are wanted, files, lines and inlined
// calls.
//
// Every answer comes from the file that ran: the file's build id must be the module's in the store. If the file is gone
// or was replaced there is no name and one note, never a wrong name.

import { SECTION_DYNSYM, SECTION_INFO, SECTION_SYMTAB } from "../../asm/symbols/layout.js";
import type { CodeLocation, ModuleInfo } from "../host/types.js";
import { prepareZstd } from "../host/zstd.js";
import type { KeptFiles } from "./debugfiles.js";
import { buildIdText, debugFileByBuildId, debugFileByLink, equal, openModule, sharedDebugFile } from "./debugfiles.js";
import { Debuginfod } from "./debuginfod.js";
import { demangle } from "./demangle.js";
import { DebugInformation } from "./dwarf.js";
import { ElfError, reason } from "./elfbytes.js";
import { ElfFile } from "./elffile.js";
import { miniDebugInfo } from "./minidebuginfo.js";
import { SplitFiles } from "./splitfiles.js";
import { OutOfMemory, SymbolCore } from "./symbolcore.js";
import { type FunctionName, functionNames, type SymbolTable } from "./symboltable.js";

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
  /**
   * The store's process while it runs: files that were deleted since, or are in a container, are read through /proc.
   */
  pid?: number | undefined;
  /** Files that were kept while the process ran. */
  kept?: KeptFiles | undefined;
  /** Where separate debug files are (/usr/lib/debug). */
  debugFolders?: readonly string[];
  /** Variables for debuginfod (the process's own). */
  environment?: NodeJS.ProcessEnv;
}

/** What gives the locations of program counters. */
export interface Names {
  /** What stood in the way, one line each, at most one for a module and reason. */
  readonly notes: readonly string[];
  /**
   * The locations of each request: the innermost inlined call first, the physical function last; at least
   * one, whose function is null when nothing is known. What is missing is said in `notes`.
   */
  symbolize(requests: readonly SymbolRequest[]): Promise<CodeLocation[][]>;
  /** The folder in which a file that it named was compiled; undefined if it named none such. */
  buildFolder(file: string): string | undefined;
}

/** A module of the store, what its files are, and what is known about its addresses. */
interface Module {
  info: ModuleInfo;
  files: Promise<Files> | undefined;
  known: Map<bigint, CodeLocation[]>;
}

interface Files {
  /** The symbol tables, together those of the whole module. */
  tables: SymbolTable[];
  debug: DebugInformation | null;
  open: ElfFile[];
}

export class Symbolizer implements Names {
  readonly notes: string[] = [];
  readonly #core = new SymbolCore();
  readonly #open: { close(): void }[] = [];
  readonly #modules = new Map<string, Module>();
  /** The same, by the entry of the store. */
  #entries = new WeakMap<ModuleInfo, Module>();
  readonly #folders = new Map<string, string>();

  readonly #lines: boolean;
  readonly #pid: number | null;
  readonly #kept: KeptFiles | undefined;
  readonly #debugFolders: readonly string[];
  readonly #debuginfod: Debuginfod;

  constructor({ lines = true, pid, kept, debugFolders = ["/usr/lib/debug"], environment }: SymbolizerOptions = {}) {
    this.#lines = lines;
    this.#pid = pid ?? null;
    this.#kept = kept;
    this.#debugFolders = debugFolders;
    this.#debuginfod = new Debuginfod(environment);
  }

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
    for (const [module, addresses] of wanted) await this.#resolve(module, addresses);
    return places.map(({ known, address }) => known.get(address) ?? unknown());
  }

  buildFolder(file: string): string | undefined {
    return this.#folders.get(file);
  }

  /** Closes the files it has open. */
  close(): void {
    for (const file of this.#open.splice(0)) file.close();
    this.#modules.clear();
    this.#entries = new WeakMap();
  }

  /** Two entries of the store may be one file, loaded twice. */
  #module(info: ModuleInfo): Module {
    let module = this.#entries.get(info);
    if (module === undefined) {
      const { inode, bytes, written, layout } = info.file ?? {};
      const key = [buildIdText(info.buildId), inode, bytes, written, layout, info.path].join(" ");
      module = this.#modules.get(key) ?? { info, files: undefined, known: new Map() };
      this.#modules.set(key, module);
      this.#entries.set(info, module);
    }
    return module;
  }

  async #resolve(module: Module, wanted: Set<bigint>): Promise<void> {
    const { info, known } = module;
    module.files ??= this.#find(info);
    // Nothing waits from here on: symbols.wasm serves one at a time.
    const { tables, debug, open } = await module.files;
    if (tables.length === 0 && debug === null) return;
    const addresses = BigUint64Array.from(wanted).sort();
    const functions = this.#try(info, () => functionNames(this.#core, tables, addresses)) ?? [];
    const places = this.#try(info, () => debug?.locate(addresses)) ?? [];
    addresses.forEach((address, index) => {
      const locations = places[index] ?? unknown();
      const last = locations[locations.length - 1]!;
      last.function = nameOf(functions[index] ?? null, last.function);
      known.set(address, locations);
    });
    for (const [file, folder] of debug?.folders ?? []) this.#folders.set(file, folder);
    for (const problem of debug?.problems ?? []) this.#note(info, problem);
    for (const { problems } of open) for (const problem of problems) this.#note(info, problem);
  }

  /** What a file makes impossible is said in a note; other files still have their names. */
  #try<T>(info: ModuleInfo, work: () => T): T | null {
    try {
      return work();
    } catch (error) {
      if (error instanceof OutOfMemory) this.#note(info, "it is too large to be looked at");
      // A trap in symbols.wasm is our mistake, but the user's report need not suffer.
      else if (error instanceof WebAssembly.RuntimeError) this.#note(info, `it cannot be read (${error.message})`);
      // The system's word: the file lies on a disk that fails, or on a server that is gone.
      else if ((error as NodeJS.ErrnoException).code !== undefined) this.#note(info, reason(error));
      else throw error;
      return null;
    }
  }

  async #find(info: ModuleInfo): Promise<Files> {
    const files: Files = { tables: [], debug: null, open: [] };
    // The vDSO is no file; nothing allocates there.
    if (info.vdso || info.path === "") return files;
    let own: ElfFile | null = null;
    let problem: string | null = null;
    try {
      const found = openModule(this.#core, info, this.#pid, this.#kept);
      own = found.file;
      if (found.doubt !== null) this.#note(info, `nothing proves that it is the run's file: ${found.doubt}`);
      files.open.push(own);
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      problem = `${error.message}: its functions have no names`;
    }
    if (own?.mayNeedZstd) await prepareZstd();
    const complete = own !== null && own.section(this.#lines ? SECTION_INFO : SECTION_SYMTAB) !== null;
    const separate = complete ? null : await this.#findSeparate(info, own);
    if (separate !== null) files.open.push(separate);
    if (separate?.mayNeedZstd) await prepareZstd();
    if (own === null && separate === null && problem !== null) this.#note(info, problem);
    files.tables = await this.#findTables(files.open);
    this.#open.push(...files.open);
    const debug = this.#lines ? files.open.find((file) => file.section(SECTION_INFO) !== null) : undefined;
    if (debug !== undefined) {
      const split = new SplitFiles(this.#core, debug, [`${info.path}.dwp`, `${debug.path}.dwp`]);
      files.debug = new DebugInformation(this.#core, debug, { shared: () => this.#findShared(debug), split });
      this.#open.push(split);
    }
    return files;
  }

  /** The whole symbol table is in one of the files, or what is left of it in several. */
  async #findTables(open: ElfFile[]): Promise<SymbolTable[]> {
    const having = (kind: SymbolTable["kind"]): SymbolTable[] =>
      open.filter((file) => file.section(kind) !== null).map((file) => ({ file, kind }));
    const whole = having(SECTION_SYMTAB)[0];
    if (whole !== undefined) return [whole];
    for (const file of [...open]) {
      const mini = await miniDebugInfo(this.#core, file);
      if (mini !== null) open.push(mini);
    }
    return [...having(SECTION_SYMTAB).slice(0, 1), ...having(SECTION_DYNSYM).slice(0, 1)];
  }

  async #findSeparate(info: ModuleInfo, own: ElfFile | null): Promise<ElfFile | null> {
    const file =
      debugFileByBuildId(this.#core, info.buildId, this.#debugFolders) ??
      (own && debugFileByLink(this.#core, own, this.#debugFolders));
    // Who asks for names only is in a hurry.
    if (file !== null || !this.#lines || info.buildId.length === 0) return file;
    const fetched = await this.#debuginfod.find(buildIdText(info.buildId), (path) =>
      this.#openDebugFile(path, info.buildId),
    );
    for (const problem of this.#debuginfod.problems) this.#say(problem);
    return fetched;
  }

  #openDebugFile(path: string, buildId: Uint8Array): ElfFile | { wrong: string } {
    try {
      const file = new ElfFile(this.#core, path);
      if (equal(file.buildId, buildId)) return file;
      file.close();
      return { wrong: file.buildId.length > 0 ? "is of another build" : "has no build id" };
    } catch (error) {
      if (!(error instanceof ElfError)) throw error;
      return { wrong: `cannot be read: ${error.message}` };
    }
  }

  #findShared(debug: ElfFile): ElfFile | null {
    const shared = sharedDebugFile(this.#core, debug, this.#debugFolders);
    if (shared !== null) this.#open.push(shared);
    return shared;
  }

  #note(info: ModuleInfo, text: string): void {
    this.#say(`${info.path}: ${text}`);
  }

  #say(text: string): void {
    if (!this.notes.includes(text)) this.notes.push(text);
  }
}

/**
 * What a function is called. The symbol table knows more about it: foo.constprop.0, foo.cold. But where the linker
 * folded several functions into one, the line is that of the one that the debug information names.
 */
function nameOf(symbol: FunctionName | null, debug: string | null): string | null {
  if (symbol === null || debug === null || debug === symbol.name || !symbol.all.includes(debug)) {
    return symbol?.name ?? debug;
  }
  // Names of one function of the source: constructors (C1, C2), instances of a template; and what a C library defines
  // as __libc_malloc and exports as malloc.
  const mangled = /^_+[ZR]/.test(debug);
  const same = mangled ? sourceName(debug) === sourceName(symbol.name) : debug.startsWith("_");
  return same ? symbol.name : debug;
}

/**
 * A mangled name as the source has it, without what is in angle brackets:
 * arguments of templates, types that a trait is for.
 */
function sourceName(mangled: string): string {
  let name = demangle(mangled);
  for (let longer = ""; longer !== name; ) {
    longer = name;
    name = name.replace(/<[^<>]*>/g, "");
  }
  return name;
}

function unknown(): CodeLocation[] {
  return [{ function: null, file: null, line: null, inlined: false }];
}
