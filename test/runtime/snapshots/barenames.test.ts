// Bare names: one for every form in which compilers write a function down.

import assert from "node:assert/strict";
import { test } from "node:test";
import { bareName, isStandard } from "../../../runtime/snapshots/barenames.js";

for (const [bare, ...names] of [
  ["operator()", "thread()::{lambda(int)#1}::operator()(int) const", "operator()", "operator()<long int>"],
  ["operator()", "std::function<void ()>::operator()() const", "main::$_0::operator()() const"],
  ["__invoke", "std::__invoke<F, int>(F&&)", "__invoke<main()::<lambda()> >", "void std::__invoke<void (*)(int)>()"],
  ["call", "void call<work()::{lambda()#2}>(work()::{lambda()#2})", "app::call::<app::main::{closure#0}>", "app::call"],
  ["operator[]", "std::vector<int>::operator[](unsigned long)", "operator[]"],
  ["operator<<", "std::ostream& std::operator<< <std::char_traits<char> >(std::ostream&, char)", "operator<<"],
  ["operator->", "std::unique_ptr<A>::operator->() const", "operator->"],
  ["operator bool", "A::operator bool() const", "operator bool"],
  ["operator new", "operator new(unsigned long)", "A::operator new(unsigned long)"],
  ["~A", "A<int>::~A()", "~A"],
  ["same", "(anonymous namespace)::same()", "same", "int* {anonymous}::same<int>(int)"],
  ["work", "<app::First as app::Work>::work", "app::Work::work", "work"],
  ["closure", "app::main::{closure}", "app::main::{{closure}}", "{closure#0}", "app::main::{closure#1}::{closure#0}"],
  ["call_once", "core::ops::FnOnce::call_once{{vtable.shim}}", "<F as FnOnce<()>>::call_once::{shim:vtable#0}"],
  ["leak", "leak"],
  ["(odd", "(odd"],
] as const) {
  test(`bare names: ${bare} of ${names[0]}`, () => {
    for (const name of names) assert.equal(bareName(name), bare, name);
  });
}

test("bare names: brackets without end take no time", () => {
  for (const bracket of ["<", "(", "[", "{", "operator<"]) assert.ok(bareName(bracket.repeat(5000)).length > 0);
});

test("bare names: what is the standard library's is told by its file, or by its name where that is not known", () => {
  for (const file of [
    "/usr/include/c++/12/bits/stl_vector.h",
    "/usr/lib/llvm-16/include/c++/v1/vector",
    "/rustc/0123abcd/library/alloc/src/vec/mod.rs",
    "/usr/src/rustc-1.63.0/library/alloc/src/alloc.rs",
    "library/std/src/rt.rs",
  ])
    assert.ok(isStandard("any", file), file);
  for (const file of ["src/library.rs", "src/c++/app.cc", "library/src/lib.rs"]) assert.ok(!isStandard("std::x", file));
  for (const name of ["std::rt::init", "<alloc::raw_vec::RawVec<u8>>::grow", "__rust_try"])
    assert.ok(isStandard(name, null), name);
  for (const name of ["mystd::x", "app::std::x", "main", null]) assert.ok(!isStandard(name, null), String(name));
});
