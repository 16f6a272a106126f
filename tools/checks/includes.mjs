// What the library includes.

import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { files, lineOf, read, withoutComments } from "./tree.mjs";

/** @typedef {import("./tree.mjs").Violation} Violation */

const SYSTEM_HEADERS = new RegExp(
  `^(?:(?:sys|linux|asm|arpa|net|netinet|bits)/[\\w/-]+|assert|byteswap|ctype|dirent|dlfcn|elf|endian|errno|fcntl|features|grp|inttypes|
  |limits|link|locale|malloc|netdb|poll|pthread|pwd|sched|semaphore|setjmp|signal|spawn|stdalign|stdarg|stdatomic|stdbool|
  |stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syscall|time|ucontext|unistd|wchar|cpuid|immintrin|x86intrin|arm_acle)\\.h$`.replace(
    /\n\s*\|/g,
    "",
  ),
);

/** @returns {Violation[]} */
export function checkIncludes(root) {
  const found = [];
  for (const file of files(root, "preload").filter((path) => /\.[chS]$/.test(path))) {
    const code = withoutComments(read(root, file));
    for (const match of code.matchAll(/^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]/gm)) {
      const [, quote, name] = match;
      const own = quote === '"' && (name === "layout.h" || existsSync(join(root, dirname(file), name)));
      const outside = own && !normalize(join(dirname(file), name)).startsWith("preload/");
      const system = quote === "<" && (name === "libunwind.h" || SYSTEM_HEADERS.test(name));
      if (outside || !(own || system))
        found.push({ file, line: lineOf(code, match.index), what: `must not include ${name}` });
    }
  }
  return found;
}
