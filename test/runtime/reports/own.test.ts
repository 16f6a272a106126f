// Whose code a frame is, by its name, file and module.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame } from "../../../runtime/host/types.js";
import { belowMain, plainName, type Whose, whose } from "../../../runtime/reports/own.js";

function frame(name: string | null, file: string | null, module = "/srv/app/app"): Frame {
  return {
    address: "0x1",
    module,
    offset: "0x1",
    function: name,
    file,
    line: file === null ? null : 7,
    inlined: false,
  };
}

const C = "/srv/app/src/main.c";
const frames: [string | null, string | null, string, Whose][] = [
  ["handle", C, "/srv/app/app", "own"],
  ["handle", null, "/srv/app/app", "own"],
  [null, null, "/srv/app/libmine.so", "own"],
  ["upper", "/srv/leakmod.c", "/srv/venv/lib/python3.11/site-packages/leakmod.so", "own"],
  // Modules that a user runs rather than writes.
  ["inflateInit2_", null, "/usr/lib/x86_64-linux-gnu/libz.so.1", "library"],
  ["dictAdd", "./src/dict.c", "/usr/bin/redis-server", "library"],
  ["fmt::v9::vformat", null, "/usr/local/lib/libfmt.so.9", "library"],
  ["PyList_New", "/build/Objects/listobject.c", "/srv/.pyenv/versions/3.11.7/bin/python3.11", "library"],
  ["node::zlib::Init()", null, "/srv/.nvm/versions/node/v20.1.0/bin/node", "library"],
  ["os::commit_memory(char*)", null, "/opt/jdk-17/lib/server/libjvm.so", "library"],
  [null, null, "/nix/store/abc-glib/lib/libglib-2.0.so.0", "library"],
  ["malloc_usable_size", null, "/srv/libc.so.6", "library"],
  [null, null, "", "library"],
  // Files.
  ["std::vector<int>::push_back(int const&)", "/usr/include/c++/12/bits/stl_vector.h", "/srv/app/app", "library"],
  ["serde_json::from_str", "/srv/.cargo/registry/src/index-1/serde_json-1.0/src/de.rs", "/srv/app/app", "library"],
  ["<alloc::vec::Vec<T>>::push", "/rustc/5980/library/alloc/src/vec/mod.rs", "/srv/app/app", "library"],
  // Only names.
  ["__rustc::rust_begin_unwind", null, "/srv/app/app", "library"],
  ["std::__cxx11::basic_string<char>::_M_create(unsigned long&, unsigned long)", null, "/srv/app/app", "library"],
  ["<alloc::string::String as core::clone::Clone>::clone", null, "/srv/app/app", "library"],
  ["<app::Node as core::clone::Clone>::clone", null, "/srv/app/app", "own"],
  ["std::shared_ptr<shop::Session> shop::make<shop::Session>(int)", null, "/srv/app/app", "own"],
  ["stdout_logger::write", null, "/srv/app/app", "own"],
  ["std_of(int)", C, "/srv/app/app", "own"],
  // Wrappers, wherever they are.
  ...(
    [
      "xmalloc",
      "xstrdup",
      "x2nrealloc",
      "xmemdupz",
      "zmalloc",
      "zcalloc_num",
      "ztryrealloc_usable",
      "g_malloc0",
      "g_strdup_printf",
      "CRYPTO_malloc",
      "CRYPTO_zalloc",
      "OPENSSL_strdup",
      "ngx_palloc",
      "ngx_pcalloc",
      "ngx_alloc",
      "ngx_palloc_small",
      "av_mallocz",
      "PyMem_Malloc",
      "PyObject_Malloc",
      "_PyObject_Malloc",
      "PyMem_RawMalloc",
      "apr_palloc",
      "apr_pstrdup",
      "_talloc_array",
      "talloc_strdup",
      "palloc0",
      "MemoryContextAllocZero",
      "sqlite3DbMallocRaw",
      "emalloc",
      "_safe_emalloc",
      "je_malloc",
      "operator new(unsigned long)",
      "malloc",
      "strdup",
      "__strdup",
      "luaM_realloc_",
      "uv__malloc",
      "git__malloc",
      "xmalloc.part.0",
      "AllocateHeap(unsigned long, MEMFLAGS)",
      "os::malloc(unsigned long, MEMFLAGS)",
      "strndup@@GLIBC_2.2.5",
      "__rustc::__rust_alloc_zeroed",
    ] as const
  ).map((name): [string, string, string, Whose] => [name, C, "/srv/app/app", "wrapper"]),
  // What only looks like one.
  ...(["malloc_test", "leak_malloc", "xmalloc_stats_dump_all", "allocate_session", "strdup_all"] as const).map(
    (name): [string, string, string, Whose] => [name, C, "/srv/app/app", "own"],
  ),
];

for (const [name, file, module, expected] of frames) {
  test(`${name} of ${file ?? module} is ${expected}`, () => assert.equal(whose(frame(name, file, module)), expected));
}

test("frames that are skipped, by function, file or module", () => {
  const mine = frame("pool_take", "/srv/app/src/pool/take.c", "/srv/app/app");
  for (const skip of [/^pool_/, /src\/pool\//, /app\/app$/]) assert.equal(whose(mine, skip), "wrapper");
  assert.equal(whose(mine, /^take/), "own");
});

test("names without what does not tell the function", () => {
  for (const [name, plain] of [
    ["foo(int) const", "foo"],
    ["int* make<std::vector<int>, (Kind)1>(char const*)", "make"],
    ["a::b<c(d)>::e(f)", "a::b::e"],
    ["_int_malloc.constprop.0", "_int_malloc"],
    ["f [clone .part.3]", "f"],
    ["operator new[](unsigned long)", "operator new[](unsigned long)"],
  ] as const)
    assert.equal(plainName(name), plain);
});

test("what is below main or a thread's function", () => {
  const libc = "/usr/lib/x86_64-linux-gnu/libc.so.6";
  const main = [
    frame("main", C),
    frame("__libc_start_call_main", "./x.h", libc),
    frame("__libc_start_main@GLIBC_2.34", null, libc),
    frame("_start", null),
  ];
  assert.equal(belowMain(main), 3);
  const thread = [
    frame("work", C),
    frame(null, null, "/usr/lib/libstdc++.so.6.0.30"),
    frame("start_thread", null, libc),
    frame("clone3", null, libc),
  ];
  assert.equal(belowMain(thread), 3);
  assert.equal(belowMain([frame("qsort", null, libc)]), 0);
  assert.equal(belowMain([frame("_start", null)]), 0);
});
