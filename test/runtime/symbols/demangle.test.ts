// Names of C++ and Rust, and names that only look like some.

import assert from "node:assert";
import { test } from "node:test";
import { demangle } from "../../../runtime/symbols/demangle.js";

const NAMES: [mangled: string, readable: string][] = [
  ["_ZN3foo3barEiPKc", "foo::bar(int, char const*)"],
  ["_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int> >::push_back(int&&)"],
  ["_ZNK3fooclEv", "foo::operator()() const"],
  ["_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()() const"],
  ["_ZN12_GLOBAL__N_13fooEv", "(anonymous namespace)::foo()"],
  ["_ZN3foo3barB5cxx11Ev", "foo::bar[abi:cxx11]()"],
  ["_ZnwmSt11align_val_t", "operator new(unsigned long, std::align_val_t)"],
  // Packs of template arguments that are empty leave nothing behind.
  ["_ZSt11make_uniqueI7SessionJEENSt8__detail9_MakeUniqIT_E15__single_objectEDpOT0_", "std::make_unique<Session>()"],
  ["_Z1fIJEEiiDpOT_", "f<>(int)"],
  ["_ZN1VIJiEE1gIJEEEvDpT_i", "V<int>::g<>(int)"],
  ["_ZaaRK1AS1_", "operator&&(A const&, A const&)"],
  // Conditions in the type of the result, as gcc writes them; and lambdas that initialize members.
  [
    "_ZSt11make_sharedI1SJEESt10shared_ptrINSt9enable_ifIXntsrSt8is_arrayIT_E5valueES4_E4typeEEDpOT0_",
    "std::make_shared<S>()",
  ],
  [
    "_ZNKSt14default_deleteIA_1SEclIS0_EENSt9enable_ifIXsrSt14is_convertibleIPA_T_PS1_E5valueEvE4typeEPS6_",
    "std::default_delete<S []>::operator()<S>(S*) const",
  ],
  [
    "_ZSt14__copy_move_a1ILb1EPbbEN9__gnu_cxx11__enable_ifIXsrSt23__is_random_access_iterIT0_" +
      "NSt15iterator_traitsIS4_E17iterator_categoryEE7__valueESt15_Deque_iteratorIT1_RSA_PSA_EE6__typeES4_S4_SD_",
    "std::__copy_move_a1<true, bool*, bool>(bool*, bool*, std::_Deque_iterator<bool, bool&, bool*>)",
  ],
  ["_ZN16FLAGS_noflagfileMUlvE_4_FUNEv", "FLAGS_noflagfile::{lambda()#1}::_FUN()"],
  // What the compiler added stays visible.
  ["_ZN3foo3barEv.part.0.cold", "foo::bar() [clone .part.0] [clone .cold]"],
  // Rust, legacy (the hash at the end says nothing to a reader) and v0.
  ["_ZN4core3fmt5Write9write_fmt17h0123456789abcdefE", "core::fmt::Write::write_fmt"],
  [
    "_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE",
    "core::ptr::drop_in_place<alloc::string::String>",
  ],
  ["_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"],
  ["_RINvNtC3std3mem8align_ofdE", "std::mem::align_of::<f64>"],
];

for (const [mangled, readable] of NAMES) {
  test(`demangles ${mangled}`, () => assert.strictEqual(demangle(mangled), readable));
}

test("leaves other names as they are", () => {
  // Each of these is a type or something else to some demangler.
  for (const name of ["main", "f", "i", "x", "_start", "_Z", "_R", "_Run", "_init", "?foo@@YAXXZ", "Zorro", ""]) {
    assert.strictEqual(demangle(name), name);
  }
});

test("survives broken and monstrous names", () => {
  for (const name of [
    "_ZN3foo",
    `_Z${"N".repeat(10_000)}`,
    `_Z1f${"P".repeat(15_000)}i`,
    `_Z1f${"I".repeat(15_000)}`,
    `_RNv${"I".repeat(15_000)}`,
    `_Z${"1".repeat(15_000)}a`,
    `_ZN${"1a".repeat(100_000)}E`,
    "_ZN3f\u{1f600}oE",
    "_Z1f\0v",
    "_Z1fXsr",
    `_Z1f${"XsrSt1aI".repeat(2000)}`,
    `_Z1f${"XsrSt1aIiE1bE".repeat(1200)}`,
    `_Z1f${"MUl".repeat(5000)}`,
  ]) {
    assert.strictEqual(typeof demangle(name), "string");
    assert.strictEqual(demangle("_Z3foov"), "foo()", `after ${name.slice(0, 20)}`);
  }
});
