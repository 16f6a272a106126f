// Whose code a frame is: the user's own, a library's, or a function's that only passes an allocation on (a wrapper).
//
//   std::__new_allocator<…>::allocate at /usr/include/c++/12/…    library, by its file
//   /usr/lib/x86_64-linux-gnu/libstdc++.so.6+0xd44a3              library, by its module
//   xmalloc at src/util.c:6                                       wrapper, by its name
//   on_event at src/events.c:9                                    own

import { basename } from "node:path";
import type { Frame } from "../host/types.js";
import { isRuntimeModule, isRuntimeName } from "./suppressions.js";
import { isSystemFile } from "./systemfiles.js";
import { isKnownWrapper } from "./wrappers.js";

export type Whose = "own" | "library" | "wrapper";

/** Paths that are installed for all users, or belong to a store of packages. */
const SYSTEM_MODULE =
  /^(\/usr)?\/(s?bin|lib\w*)\/|^\/usr\/(libexec|share|games|local\/lib\w*)\/|^\/(nix|gnu)\/store\/|^\/snap\//;

/** Programs that run others' code, and their libraries, wherever they are installed. */
const INTERPRETER = /^(node|nodejs|deno|bun|java|(python|ruby|perl|php|lua|luajit-?)[\d.]*)$/;
const INTERPRETERS_LIBRARY =
  /^lib(node|python|jvm|jli|java|ruby|perl|lua)[\w.-]*\.so[\d.]*$|^_[a-z]\w*\.cpython-[\w.-]+\.so$/;

/** Sources that package managers of languages have fetched. */
const PACKAGE_FOLDERS = [
  /\/\.?cargo\/(registry|git)\/|\/\.rustup\/toolchains\//,
  /\/go\/pkg\/mod\/|^\/usr\/local\/go\//,
  /\/node_modules\/(nan|node-addon-api)\//,
];

/** Where a frame has no file. Behind a "<" stands the type that a method of Rust is of. */
const LIBRARY_NAME = new RegExp(
  "^<?&?(mut )?(std|core|alloc|__rustc|__gnu_cxx|__cxxabiv1|boost|absl)::|" +
    "^<[A-Z]\\w* as (std|core|alloc)::|^__r(ust|dl|g)_",
);

/** There are few modules, and many frames in each. */
const judged = new Map<string, boolean>();

/** Whether a module is one that a user runs but does not write. "": code in no module. */
export function isLibraryModule(path: string): boolean {
  let known = judged.get(path);
  if (known === undefined) {
    known = isNobodysOwn(path);
    judged.set(path, known);
  }
  return known;
}

function isNobodysOwn(path: string): boolean {
  if (path === "" || isRuntimeModule(path) || SYSTEM_MODULE.test(path)) return true;
  const name = basename(path);
  return isRuntimeName(name) || INTERPRETER.test(name) || INTERPRETERS_LIBRARY.test(name);
}

/** Whether a source file came with the system, a compiler or a package. */
export function isLibraryFile(path: string): boolean {
  return isSystemFile(path) || PACKAGE_FOLDERS.some((folder) => folder.test(path));
}

/**
 * The part of a name that identifies the function: no result, parameters, template arguments, clone's suffix or symbol
 * version.
 */
export function plainName(name: string): string {
  if (name.startsWith("operator ")) return name;
  let plain = name.replace(/@.*$/, "").replace(/(\.[a-z_]+(\.\d+)?|\.\d+| \[clone [^\]]*\])+$/, "");
  if (plain.startsWith("<")) return plain;
  for (let longer = ""; longer !== plain && /[<(]/.test(plain); ) {
    longer = plain;
    plain = plain.replace(/<[^<>()]*>|\([^<>()]*\)( const)?/g, "");
  }
  return plain.slice(plain.lastIndexOf(" ") + 1);
}

/** @param skip frames of the user's own that are none: by function, file or module */
export function whose(frame: Pick<Frame, "function" | "file" | "module">, skip?: RegExp): Whose {
  const { function: name, file, module } = frame;
  if (skip && [name, file, module].some((text) => text !== null && skip.test(text))) return "wrapper";
  const plain = name === null ? null : plainName(name);
  if (plain !== null && isKnownWrapper(plain)) return "wrapper";
  if (isLibraryModule(module)) return "library";
  if (file !== null) return isLibraryFile(file) ? "library" : "own";
  return plain !== null && LIBRARY_NAME.test(plain) ? "library" : "own";
}

/** Frames that called main, or a thread's function: the C library's and the loader's. */
const BELOW_MAIN =
  /^(__libc_start_(call_)?main(_impl)?|_start|clone3?|__clone|start_thread|_dl_start_user|rust_begin_unwind)(@.*)?$/;

/** How many of a stack's outermost frames only lead to main or to a thread's function. */
export function belowMain(stack: readonly Frame[]): number {
  let count = 0;
  while (count < stack.length - 1) {
    const frame = stack.at(-1 - count)!;
    const below = frame.function !== null && BELOW_MAIN.test(frame.function);
    if (!below && !(frame.function === null && isRuntimeModule(frame.module))) break;
    count++;
  }
  return count;
}
