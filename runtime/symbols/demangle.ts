// Names as in the source: C++ (Itanium ABI) and Rust (legacy and v0) symbol names, demangled by the WASM module of
// gecko-profiler-demangle, the demangler of the Firefox profiler.
//
//   _ZN3foo3barEi.cold                       foo::bar(int) [clone .cold]
//   _RNvNtCs1234_7mycrate3foo3bar            mycrate::foo::bar
//   main                                     main
//
// Its JavaScript wrapper imports the .wasm as a module, which needs a bundler. So the module is instantiated here by
// hand: one import, five exports. That takes some 10 ms, and is done at the first mangled name.

import { bytes } from "../../build/wasm/demangle.js";
import { otherForm } from "./mangledforms.js";

interface Exports {
  memory: WebAssembly.Memory;
  __wbindgen_export_0: WebAssembly.Table;
  __wbindgen_start(): void;
  __wbindgen_malloc(bytes: number, align: number): number;
  __wbindgen_free(pointer: number, bytes: number, align: number): void;
  demangle_any(pointer: number, bytes: number): [pointer: number, bytes: number];
}

/** Longer names are left alone: nobody reads them, and demangled they can be a thousand times as long. */
const LONGEST_NAME = 16384;
/** Names kept; a report rarely has more functions. */
const CACHE_NAMES = 65536;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const cache = new Map<string, string>();
let compiled: WebAssembly.Module | undefined;
let instance: Exports | undefined;

/**
 * The readable form of a symbol name; the name itself if it is not mangled or cannot be demangled.
 * A compiler's suffix stays visible (`[clone .cold]`), the hash at the end of a Rust name does not.
 */
export function demangle(name: string): string {
  // The library takes more for mangled than there is in a symbol table: "f" would become "float".
  if (!/^(_{1,4}Z|_R[A-Z0-9])/.test(name) || name.length > LONGEST_NAME) return name;
  let known = cache.get(name);
  if (known === undefined) {
    if (cache.size >= CACHE_NAMES) cache.clear();
    known = call(name);
    if (known === name) {
      const other = otherForm(name);
      const readable = other === null ? null : call(other);
      if (readable !== null && readable !== other) known = readable;
    }
    cache.set(name, known);
  }
  return known;
}

function call(name: string): string {
  try {
    instance ??= instantiate();
    const bytes = encoder.encode(name);
    const pointer = instance.__wbindgen_malloc(bytes.length, 1) >>> 0;
    new Uint8Array(instance.memory.buffer, pointer, bytes.length).set(bytes);
    const [at, length] = instance.demangle_any(pointer, bytes.length);
    const text = decoder.decode(new Uint8Array(instance.memory.buffer, at >>> 0, length));
    instance.__wbindgen_free(at, length, 1);
    // What it cannot demangle comes back without its first underscore.
    return text === "" || text === name.slice(1) ? name : withoutEmptyPacks(text);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError) && !(error instanceof RangeError)) throw error;
    // A name it could not cope with. Its memory is in no known state now: start afresh with the next name.
    instance = undefined;
    return name;
  }
}

/**
 * The library leaves the punctuation of packs that are empty: make_unique<Session, >(&&), where people write
 * make_unique<Session>().
 */
function withoutEmptyPacks(text: string): string {
  return text
    .replace(/(?<=\(|, )&&?(?=\)|, )/g, "")
    .replace(/(, )+(?=[,>)])/g, "")
    .replace(/(?<=[(<])(, )+/g, "");
}

function instantiate(): Exports {
  compiled ??= new WebAssembly.Module(bytes());
  // The externref table starts with the four JavaScript constants that wasm-bindgen's code refers to by index.
  const initializeTable = () => {
    const table = exports.__wbindgen_export_0;
    const offset = table.grow(4);
    table.set(0, undefined);
    for (const [index, value] of [undefined, null, true, false].entries()) table.set(offset + index, value);
  };
  const exports: Exports = new WebAssembly.Instance(compiled, {
    "./index_bg.js": { __wbindgen_init_externref_table: initializeTable },
  }).exports as unknown as Exports;
  exports.__wbindgen_start();
  return exports;
}
