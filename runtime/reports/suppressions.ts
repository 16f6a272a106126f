// Suppressions: known call stacks that are not shown. There is the user's list, and a built-in list of allocations that
// the C and C++ runtimes make once.
//
// The user's list is a file in LeakSanitizer's format, one pattern a line:
//
//     # the plug-in API has no way to free this
//     leak:register_plugin
//     leak:libfontconfig.so
//     leak:^parse_*_header$
//
// A stack is suppressed when a pattern matches a part of a frame's function, source file or module: * stands for any
// text, ^ and $ for the beginning and the end. Names are matched as they are shown, and by their keys (namekeys.ts): a
// pattern with the number of a lambda still matches when that number changes.
//
// The built-in list is careful. It never hides a stack whose innermost frame is the program's own or another library's,
// except the libraries that libc loads to look up users and groups. The allocating frame must be in the C or C++
// runtime, and one of two conditions must hold. Either the loader's start-up code is outermost and everything between
// is the runtime (the C++ runtime's emergency pool). Or the runtime was entered by a function that is known to keep
// something (locale, time zone, message catalogues, stream buffers, a thread's own memory): its caller can neither get
// nor free what such a function allocates. A thread's memory is freed when the thread is joined, or kept for the next
// thread.

import { basename } from "node:path";
import { SuppressionsError } from "../host/errors.js";
import type { Frame } from "../host/types.js";
import { moduleKey, readableKey, textKey } from "../symbols/namekeys.js";

/**
 * The patterns of a file in LeakSanitizer's format. `path` is for messages.
 * @throws SuppressionsError when a line is not of that format.
 */
export function parseSuppressions(text: string, path: string): RegExp[] {
  return text.split(/\r?\n/).flatMap((line, i) => {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return [];
    const pattern = /^leak:(.+)$/.exec(trimmed)?.[1];
    if (pattern === undefined) {
      throw new SuppressionsError(`${path}: line ${i + 1}, '${trimmed}', is no suppression; write leak:PATTERN`);
    }
    const key = moduleKey(textKey(pattern));
    return key === pattern ? [template(pattern)] : [template(pattern), template(key)];
  });
}

function template(pattern: string): RegExp {
  const [, start, middle, end] = /^(\^?)(.*?)(\$?)$/.exec(pattern)!;
  const text = middle!
    .split(/\*+/)
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"))
    .join(".*");
  return new RegExp(start + text + end, "s");
}

/** Whether a pattern matches a frame of the stack. */
export function isListed(
  frames: readonly Pick<Frame, "module" | "function" | "symbol" | "file">[],
  patterns: readonly RegExp[],
): boolean {
  return frames.some((frame) => {
    const texts = [frame.module, moduleKey(frame.module)];
    if (frame.function !== null) texts.push(frame.function, readableKey(frame.function, frame.symbol));
    if (frame.file !== null) texts.push(frame.file);
    return patterns.some((pattern) => texts.some((text) => pattern.test(text)));
  });
}

const LOADER = /^(ld-linux[\w.-]*|ld|ld-musl[\w.-]*|ld-[\d.]+)\.so[\d.]*$/;
const RUNTIME = /^lib(memhook|c|stdc\+\+|c\+\+|c\+\+abi|gcc_s|pthread|dl|m|rt|resolv)([-.][\d.]+)?\.so[\d.]*$/;

/** Functions that keep what they allocate for the next call, or for the end of the process. */
const KEEPERS = new RegExp(
  `^(${[
    "setlocale|textdomain|bindtextdomain|bind_textdomain_codeset|(d|dc)?n?gettext|dcigettext|__dcigettext",
    "pthread_create|__tls_get_addr|tls_get_addr_tail|_dl_tlsdesc_\\w+|dlerror|dlv?sym",
    "tzset|__tz\\w+|localtime(64)?(_r)?|mktime(64)?|timelocal|strftime(_l)?",
    "_IO_file_doallocate|_IO_doallocbuf",
    "__cxa_atexit|atexit|on_exit|__new_exitfn|__cxa_thread_atexit_impl",
    "dlopen|dlmopen|_dl_open|__libc_dlopen_mode|_dl_\\w*(object|map|load)\\w*",
    "iconv_open|__gconv_\\w+|__nss_\\w+|__res_\\w*init|__resolv_\\w+|__check_pf",
    "_nl_(find_locale|load_locale|intern_locale_data|make_l10nflist|expand_alias)[\\w.]*",
    "get(pw|gr|sp)(nam|uid|gid|ent)|get(host|net|proto|serv)(by\\w+|ent)",
    "std::locale::locale\\(char const\\*\\)|std::__\\w+_cache<\\w+>::_M_cache\\(.*\\)",
    "std::num_(get|put)<.*",
    "std::locale::classic\\(\\)|std::locale::_S_initialize\\w*\\(\\)|std::ios_base::Init::Init\\(\\)",
  ].join("|")})(@.*)?$`,
);

/** Functions that call other libraries, which keep what they allocate in the same way: none of it gets out. */
const LOOKUPS = /^(get(pw|gr|sp)(nam|uid|gid|ent)(_r)?|getgrouplist|initgroups)(@.*)?$/;

/** Whether a file name is that of the loader or of a library of the C or C++ runtime, or memhook's. */
export function isRuntimeName(name: string): boolean {
  return LOADER.test(name) || RUNTIME.test(name);
}

/** Whether a module is the dynamic loader. */
export function isLoader(path: string): boolean {
  return LOADER.test(basename(path));
}

/** Whether a module is one of those whose allocations the built-in list may hide. */
export function isRuntimeModule(path: string): boolean {
  const name = basename(path);
  return name === "libmemhook.so" || (/^(\/usr)?\/lib(32|64|x32)?\//.test(path) && isRuntimeName(name));
}

/** Whether the built-in list has this stack. `tooDeep`: its outer frames were cut. */
export function isKnown(frames: readonly Frame[], tooDeep: boolean): boolean {
  if (frames.some((frame) => LOOKUPS.test(frame.function ?? "") && isRuntimeModule(frame.module))) return true;
  const first = frames.findIndex((frame) => !isRuntimeModule(frame.module));
  if (first === 0 || frames.length === 0) return false;
  if (first < 0) return !tooDeep && LOADER.test(basename(frames.at(-1)!.module));
  return frames.slice(0, first).some((frame) => frame.function !== null && KEEPERS.test(frame.function));
}
