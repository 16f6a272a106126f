// Suppressions: LeakSanitizer's patterns, and what the built-in list hides and never hides.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame } from "../../../runtime/host/types.js";
import { isKnown, isListed, isRuntimeModule, parseSuppressions } from "../../../runtime/reports/suppressions.js";

const frame = (module: string, name: string | null = null, file: string | null = null): Frame => ({
  address: "0x1",
  module,
  offset: "0x1",
  function: name,
  file,
  line: null,
  inlined: false,
});
const APP = "/opt/shop/app";
const LIBC = "/usr/lib/x86_64-linux-gnu/libc.so.6";
const STDCXX = "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.33";
const LOADER = "/lib64/ld-linux-x86-64.so.2";

/** Pattern, text, whether it fits. */
const patterns: [string, string, boolean][] = [
  ["leak", "make_leak_here", true],
  ["leak", "Leak", false],
  ["^leak", "make_leak", false],
  ["^leak", "leak_made", true],
  ["leak$", "make_leak", true],
  ["leak$", "leak_made", false],
  ["^leak$", "leak", true],
  ["^leak$", "leaks", false],
  ["make_*_here", "make_leak_here", true],
  ["make_*_here", "make_leak_there", false],
  ["^make*here$", "make_leak_here!", false],
  ["*", "anything", true],
  ["a.b", "axb", false],
  ["a.b", "a.b", true],
  ["std::vector<int>(", "std::vector<int>(7)", true],
  ["[x]+?", "[x]+?", true],
  ["operator new", "operator new(unsigned long)", true],
];

for (const [pattern, text, fits] of patterns) {
  test(`leak:${pattern} ${fits ? "fits" : "does not fit"} ${text}`, () => {
    const list = parseSuppressions(`leak:${pattern}`, "x");
    assert.equal(isListed([frame(APP, text)], list), fits);
    assert.equal(isListed([frame(APP, "other"), frame(text)], list), fits, "a module, further out");
    assert.equal(isListed([frame(APP, null, text)], list), fits, "a file");
  });
}

test("a file has comments, empty lines and one pattern a line", () => {
  const list = parseSuppressions("# known\n\nleak:one\r\n  leak:two  \n", "known.txt");
  assert.deepEqual(list.map(String), ["/one/s", "/two/s"]);
  assert.deepEqual(parseSuppressions("", "x"), []);
  for (const line of ["race:x", "leak:", "leak", "x"]) {
    assert.throws(() => parseSuppressions(`leak:one\n${line}\n`, "known.txt"), {
      name: "SuppressionsError",
      message: `known.txt: line 2, '${line}', is no suppression; write leak:PATTERN`,
    });
  }
});

test("runtime modules are the system's C and C++ runtimes, by name and place", () => {
  for (const path of [
    LIBC,
    STDCXX,
    LOADER,
    "/lib/x86_64-linux-gnu/libc-2.31.so",
    "/usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/usr/lib/libpthread.so.0",
  ]) {
    assert.ok(isRuntimeModule(path), path);
  }
  for (const path of [
    "",
    APP,
    "/opt/lib/libc.so.6",
    "/usr/lib/libcurl.so.4",
    "/usr/lib/libcairo.so.2",
    "/opt/cxx/libstdc++.so.6",
  ]) {
    assert.ok(!isRuntimeModule(path), path);
  }
});

const known: [string, Frame[]][] = [
  ["the emergency pool", [frame(STDCXX), frame(LOADER, "call_init"), frame(LOADER, "_dl_init"), frame(LOADER)]],
  ["a locale", [frame(LIBC), frame(LIBC, "setlocale"), frame(APP, "main"), frame(LIBC)]],
  ["a locale's file", [frame(LIBC, "_nl_make_l10nflist.localalias"), frame(LIBC, "newlocale"), frame(APP, "main")]],
  ["a locale of C++", [frame(STDCXX), frame(STDCXX, "std::locale::locale(char const*)"), frame(APP, "main")]],
  [
    "what a locale remembers for printing",
    [
      frame(STDCXX, "std::__numpunct_cache<char>::_M_cache(std::locale const&)"),
      frame(STDCXX, "std::ostream& std::ostream::_M_insert<double>(double)"),
      frame(APP, "main"),
    ],
  ],
  [
    "the same, before it is filled",
    [frame(STDCXX), frame(STDCXX, "std::num_put<char>::_M_insert_float<double>(double) const"), frame(APP, "main")],
  ],
  ["what resolv.conf said", [frame(LIBC), frame(LIBC, "__resolv_conf_load"), frame(LIBC, "getaddrinfo"), frame(APP)]],
  ["the one entry that getpwnam gives", [frame(LIBC, "getpwnam"), frame(APP, "main")]],
  ["a stream's buffer", [frame(LIBC, "_IO_file_doallocate"), frame(LIBC, "puts"), frame(APP, "main")]],
  ["a name with a version", [frame(LIBC), frame(LIBC, "setlocale@@GLIBC_2.2.5"), frame(APP, "main")]],
  ["a time zone", [frame(LIBC), frame(LIBC, "localtime_r"), frame(APP, "log")]],
  ["what dlopen keeps", [frame(LOADER), frame(LOADER), frame(LIBC, "dlopen"), frame(APP, "load")]],
  ["a thread's memory", [frame(LOADER, "_dl_allocate_tls"), frame(LIBC, "pthread_create"), frame(APP)]],
  [
    "a thread's memory for a library",
    [frame(LOADER, null), frame(LOADER, "__tls_get_addr"), frame("/opt/lib/libx.so.1"), frame(APP)],
  ],
  [
    "a time zone, by memhook's frame",
    [frame(LIBC, null), frame("/opt/memhook/libmemhook.so", "localtime"), frame(APP, "log")],
  ],
  [
    "what an NSS library keeps",
    [frame("/opt/lib/libnss_x.so.2", "_nss_x_getpwnam_r"), frame(LIBC, "getpwnam_r"), frame(APP)],
  ],
  ["handlers of exit", [frame(LIBC, "__new_exitfn"), frame(LIBC, "__cxa_atexit"), frame(APP, "_GLOBAL__sub_I_x")]],
];

const shown: [string, Frame[]][] = [
  ["nothing known of it", []],
  ["the program itself", [frame(APP, "setlocale"), frame(LIBC, "setlocale")]],
  ["a library's constructor", [frame("/usr/lib/libfoo.so"), frame(LOADER, "call_init"), frame(LOADER, "_dl_init")]],
  ["a constructor under dlopen", [frame("/opt/plugin.so"), frame(LOADER, "call_init"), frame(LIBC, "dlopen")]],
  ["a string in that", [frame(STDCXX, "std::string::_M_create"), frame(APP), frame(LOADER), frame(LIBC, "dlopen")]],
  ["code in no module", [frame(""), frame(LOADER)]],
  ["a copy for the caller", [frame(LIBC, "strdup"), frame(APP, "main")]],
  ["addresses for the caller", [frame(LIBC, "getaddrinfo"), frame(APP, "main")]],
  ["a locale that was made by hand", [frame(LIBC, "newlocale"), frame(APP, "main")]],
  ["a name like one", [frame(LIBC, "getpassphrase"), frame(APP, "main")]],
  ["a stream that stays open", [frame(LIBC, "fopen"), frame(APP, "main")]],
  ["a keeper further out", [frame(LIBC, "strdup"), frame(APP, "hook"), frame(LIBC, "setlocale")]],
  ["a walk that ended early", [frame(STDCXX)]],
  ["a thread's walk that ended early", [frame(STDCXX), frame(LIBC)]],
];

for (const [what, frames] of known) {
  test(`the built-in list has ${what}`, () => assert.ok(isKnown(frames, false)));
}
for (const [what, frames] of shown) {
  test(`the built-in list does not have ${what}`, () => assert.ok(!isKnown(frames, false)));
}

test("a cut stack is not known to be the runtime's alone", () => {
  const [, pool] = known[0]!;
  assert.ok(!isKnown(pool, true));
});
