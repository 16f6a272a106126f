// The library's includes: system headers, libunwind's, and its own. Its own follow the arrows between rooms and form no
// circle. A header and its source count as one.

import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { circles } from "./circles.mjs";
import { LIBRARY } from "./rooms.mjs";
import { files, lineOf, read, withoutComments } from "./tree.mjs";

/** @typedef {import("./tree.mjs").Violation} Violation */

const SYSTEM_HEADERS = new RegExp(
  `^(${[
    "(sys|linux|asm|arpa|net|netinet|bits)/[\\w/-]+|assert|byteswap|ctype|dirent|dlfcn|elf|endian|errno|fcntl",
    "features|grp|inttypes|limits|link|locale|malloc|netdb|poll|pthread|pwd|sched|semaphore|setjmp|signal|spawn",
    "stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syscall|time|ucontext",
    "unistd|wchar|cpuid|immintrin|x86intrin|arm_acle",
  ].join("|")})\\.h$`,
);

/** Which room a file is in: its place in LIBRARY. The public header, on top, is in none. */
const roomOf = (file) =>
  file === "preload/memhook.h" ? Number.POSITIVE_INFINITY : LIBRARY.indexOf(file.split("/")[1]);

/** A header and its source are one part: what either needs, both do. */
const partOf = (file) => file.replace(/\.[chS]$/, "");

/** @returns {Violation[]} */
export function checkIncludes(root) {
  const found = [];
  const uses = new Map();
  for (const file of files(root, "preload").filter((path) => /\.[chS]$/.test(path))) {
    if (roomOf(file) < 0) found.push({ file, line: 1, what: "is in no room" });
    const code = withoutComments(read(root, file));
    if (!uses.has(partOf(file))) uses.set(partOf(file), []);
    for (const match of code.matchAll(/^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]/gm)) {
      const [, quote, name] = match;
      const line = lineOf(code, match.index);
      const to = normalize(join(dirname(file), name));
      if (quote === "<" ? name === "libunwind.h" || SYSTEM_HEADERS.test(name) : name === "layout.h") continue;
      if (quote === "<" || !to.startsWith("preload/") || !existsSync(join(root, to))) {
        found.push({ file, line, what: `must not include ${name}` });
        continue;
      }
      if (partOf(to) !== partOf(file)) uses.get(partOf(file)).push({ file, to: partOf(to), line });
      if (roomOf(file) > roomOf(to)) found.push({ file, line, what: `must not include ${name}` });
    }
  }
  return [...found, ...circles(uses, "includes")];
}
