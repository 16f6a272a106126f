// Which source files are told from the user's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isSystemFile } from "../../../runtime/reports/systemfiles.js";

const SYSTEM = [
  "/usr/include/c++/12/bits/new_allocator.h",
  "/usr/include/string.h",
  "/usr/local/include/fmt/core.h",
  "/usr/lib/gcc/x86_64-linux-gnu/12/include/mmintrin.h",
  "/usr/lib64/python3.11/x.c",
  "/usr/src/debug/glibc-2.39/malloc/malloc.c",
  "/opt/gcc-13/include/c++/13/bits/stl_vector.h",
  "/rustc/9fc6b43126469e3858e2fe86cafb4f0fd5068869/library/alloc/src/alloc.rs",
  "/src/rustup/toolchains/stable/lib/rustlib/src/rust/library/std/src/rt.rs",
  "/src/zig/lib/libcxxabi/src/stdlib_new_delete.cpp",
  "/src/zig/lib/libcxx/include/string",
  "../../../../../src/libstdc++-v3/libsupc++/new_op.cc",
];
const OWN = [
  "/src/app/src/main.c",
  "src/registry.cc",
  "/usr/src/app/server.cc",
  "/opt/app/src/session.c",
  "/src/libcxx-tools/main.cc",
  "/src/include/session.h",
];

for (const path of SYSTEM) test(`${path} came with the system`, () => assert.ok(isSystemFile(path)));
for (const path of OWN) test(`${path} is the user's`, () => assert.ok(!isSystemFile(path)));
