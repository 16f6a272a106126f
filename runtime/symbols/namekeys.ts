// The keys that names are compared by. A compiler numbers what has no name of its own, and hashes what must be unique.
// Numbers and hashes change when something else does: a lambda above, another unit, a version number, a folder. The key
// of a name has neither.
//
//   _ZZ4mainENKUlvE0_clEv              main::{lambda()}::operator()() const
//   _ZN3app4keep17h0123456789abcdefE   app::keep
//   _Z4workv.constprop.0.cold          work()
//   camlMain__leak_270                 camlMain__leak
//   libapp-0123456789abcdef.so.1.2     libapp.so
//
// Names that differ only in such a number have the same key, and are told apart by their order and their place. Names
// are shown unchanged.

import { demangle } from "./demangle.js";

const ZERO = 0x30;
const NINE = 0x39;
const UNDERLINE = 0x5f;

type Rule = readonly [pattern: RegExp, key: string];

/** What an optimiser adds to the name of a function that it copied or cut, with its numbers. */
const CLONE = new RegExp(
  `\\.(?:${[
    "constprop|isra|part|cold|warm|unlikely|split|extracted|specialized|memprof|content",
    "lto_priv|localalias|local|llvm|__uniq|cfi|cfi_jt|ifunc|resolver|default",
    "arch_\\w+|sse[\\d_]*|ssse3|avx\\w*|fma\\d?|bmi\\d?|popcnt|simdclone",
  ].join("|")})(?:\\.\\d+)*(?=$|\\.)`,
  "g",
);

/** Names in a symbol table, of languages that are not demangled and of what compilers make themselves. */
const RAW: readonly Rule[] = [
  // Named after a unit's first function, or counted: constructors of a unit, and of one variable.
  [/^_GLOBAL__(?:sub_)?([ID])_.*$/, "_GLOBAL__$1"],
  [/^_sub_([ID])_\d+_\d+(?:\.\d+)*$/, "_GLOBAL__$1"], // of all units, by gcc's link time optimization
  [/^__cxx_global_(var_init|array_dtor)(?:\.\d+)*$/, "__cxx_global_$1"],
  // OpenMP's regions, and blocks.
  [/(\._omp_(?:fn|cpyfn)|\.+omp_outlined(?:_debug__)?|_block_invoke)[._]*\d*$/, "$1"],
  // Go: what cgo makes, and function literals.
  [/^_cgo_[0-9a-f]{12}_/, "_cgo_"],
  [/(\.(?:func|gowrap|deferwrap))\d+(?=$|[.-])/g, "$1"],
  [/(\.func)(?:\.\d+)+/g, "$1"],
  // D, Zig, and Nim with numbers, behind the module's name before its version 2, or with hashes.
  [/\d+(__(?:lambda|dgliteral|funcliteral|anonclass|mixin|foreachbody|S))\d+/g, "$1"],
  [/(__(?:anon|struct|enum|union|opaque))_\d+/g, "$1"],
  [/(__\w+?)_u\d+(?=$|_)/, "$1"],
  [/^([A-Za-z]\w*?__[A-Za-z]\w*?)_\d+$/, "$1"],
  [/__(?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])[A-Za-z0-9]{20,24}(?:_\d+)?$/, ""],
  // OCaml.
  [/^(caml[A-Z][\w$.]*?)(?:_\d+)+(?:_code)?$/, "$1"],
  // A nested function, or one of several that have the name.
  [/(?:\.\d+)+$/, ""],
];
/** Swift counts closures and local functions, hashes the file into private names, and makes specialized copies. */
const SWIFT: readonly Rule[] = [
  [/\d+_?[0-9A-F]{32}(?=L)/g, ""],
  [/(U|L)\d*_/g, "$1_"],
  [/(T[fgGmqQ]\w*)$/, ""],
];

/** Names as people read them. */
const READABLE: readonly Rule[] = [
  [/#\d+\}/g, "}"], // {lambda(int)#2}, {unnamed type#1}, {closure#0}, {impl#3}
  [/'(lambda|unnamed)\d*'/g, "'$1'"],
  [/\$_\d+/g, "$_"],
  [/::h[0-9a-f]{16}(?![0-9a-f])/g, ""],
  [/\[[0-9a-f]{6,16}\](?=::|>|,|$)/g, ""],
  [/( \[clone [^\]]*\])+/g, ""],
  [/(\b__static_initialization_and_destruction)_\d+(?:\([^)]*\))?$/, "$1"],
  // gcc's unnamed types in an unnamed namespace, by name and by their place in it.
  [/(^|::|[ <,(*&])\._anon(?:ymous)?_\d+/g, "$1._anon"],
];

/** Closures and unnamed types in a mangled name that cannot be demangled. */
const MANGLED: readonly Rule[] = [[/(Ul\w*?E|Ut)\d*_/g, "$1_"]];

function applied(rules: readonly Rule[], text: string): string {
  let key = text;
  for (const [pattern, replacement] of rules) key = key.replace(pattern, replacement);
  return key;
}

const MANGLED_NAME = /^(?:_{1,4}Z|_R[A-Z0-9])/;
/** Rust's older names have dots of their own, and so have gcc's for unnamed types. */
const MANGLED_WITHOUT_SUFFIX = /^_{1,4}ZN.*17h[0-9a-f]{16}E|^(?:[^.]|(?<=\d)\.(?=_anon))*/;
/** Keys kept; a report rarely has more functions. */
const CACHE_KEYS = 65536;
const cache = new Map<string, string>();
const encoder = new TextEncoder();

/** The key of a name in a symbol table, mangled or not. */
export function nameKey(symbol: string): string {
  let key = cache.get(symbol);
  if (key === undefined) {
    if (cache.size >= CACHE_KEYS) cache.clear();
    key = isSuspicious(symbol) ? keyOf(symbol) : symbol;
    cache.set(symbol, key);
  }
  return key;
}

function isSuspicious(symbol: string): boolean {
  const bytes = encoder.encode(symbol);
  return mayHaveKey(bytes, 0, bytes.length);
}

function keyOf(symbol: string): string {
  if (!MANGLED_NAME.test(symbol)) {
    const plain = symbol.replace(CLONE, "");
    return /^_?\$[sSe]/.test(plain) ? applied(SWIFT, plain) : textKey(applied(RAW, plain));
  }
  // Its suffixes are not the demangler's business. A name that had nothing else
  // is what others are compared with as it is.
  const [name] = MANGLED_WITHOUT_SUFFIX.exec(symbol)!;
  const suffix = applied(RAW, symbol.slice(name.length).replace(CLONE, ""));
  if (!isSuspicious(name)) return name + suffix;
  const readable = demangle(name);
  return textKey(readable === name ? applied(MANGLED, name) : readable) + suffix;
}

/** The key of a name as people read it; also of a pattern for such names. */
export function textKey(name: string): string {
  return /[#$'[]|::h|_destruction_|\._anon/.test(name) ? applied(READABLE, name) : name;
}

/**
 * The key, as people would read it, of a function that is shown as `name` and
 * is `symbol` in the symbol table, if that is known.
 */
export function readableKey(name: string, symbol: string | null | undefined): string {
  return !symbol || MANGLED_NAME.test(symbol) ? textKey(name) : nameKey(symbol);
}

/**
 * The key of the name of a program or library: without the hash that cargo and
 * wheels put into it, and without its version.
 */
export function moduleKey(name: string): string {
  return name.replace(/-(?:[0-9a-f]{16}|[0-9a-f]{8})(?=$|\.so)/, "").replace(/\.so(?:\.\d+)+$/, ".so");
}

/** Whether a name, as bytes, may differ from its key: told fast, as nearly none does. */
export function mayHaveKey(bytes: Uint8Array, from: number, to: number): boolean {
  const first = bytes[from + 1];
  if (bytes[from] === UNDERLINE && first === 0x47) return true; // _GLOBAL_
  const mangled = bytes[from] === UNDERLINE && first === 0x5a; // _Z
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === 0x2e || byte === 0x24) return true; // . $
    if (!mangled) {
      if (byte >= ZERO && byte <= NINE) return true;
      continue;
    }
    const next = bytes[at + 1];
    if (byte === 0x55 && (next === 0x6c || next === 0x74)) return true; // Ul Ut
    if (byte === 0x31 && next === 0x37 && bytes[at + 2] === 0x68) return true; // 17h
    if (byte === UNDERLINE && next === 0x73 && bytes[at + 2] === 0x74) return true; // __static_initialization
  }
  return false;
}
