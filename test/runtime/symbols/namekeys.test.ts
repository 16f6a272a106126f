// The keys that names are compared by: what compilers count or hash makes no difference, and everything else does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { mayHaveKey, moduleKey, nameKey, textKey } from "../../../runtime/symbols/namekeys.js";

/** Names of the same thing, as it is called after an edit elsewhere. */
const SAME: [what: string, ...names: string[]][] = [
  ["lambdas (gcc)", "_ZZ4mainENKUlvE_clEv", "_ZZ4mainENKUlvE0_clEv", "_ZZ4mainENKUlvE11_clEv"],
  ["lambdas (clang)", "_ZZ4mainENK3$_0clEv", "_ZZ4mainENK3$_1clEv", "_ZZ4mainENK4$_12clEv"],
  ["lambdas as template arguments", "_Z4callIZ4mainEUlvE_EvT_", "_Z4callIZ4mainEUlvE1_EvT_"],
  ["lambdas as template arguments (clang)", "_Z4callIZ4mainE3$_0EvT_", "_Z4callIZ4mainE3$_7EvT_"],
  [
    "lambdas in lambdas in template arguments",
    "_ZNSt17_Function_handlerIFvvEZZ4mainENKUlvE_clEvEUlvE_E9_M_invokeERKSt9_Any_data",
    "_ZNSt17_Function_handlerIFvvEZZ4mainENKUlvE1_clEvEUlvE3_E9_M_invokeERKSt9_Any_data",
  ],
  ["generic lambdas", "_ZZ4mainENKUlT_E_clIcEEDaS_", "_ZZ4mainENKUlT_E2_clIcEEDaS_"],
  ["unnamed types", "_ZZ4mainENUt_1fEv", "_ZZ4mainENUt0_1fEv"],
  [
    "unnamed types in an unnamed namespace (gcc)",
    "_ZN12_GLOBAL__N_110._anon_1286methodEv",
    "_ZN12_GLOBAL__N_110._anon_1406methodEv",
    "_ZN12_GLOBAL__N_19._anon_926methodEv.constprop.0",
  ],
  [
    "constructors of a unit",
    "_sub_I_65535_0.0",
    "_GLOBAL__sub_I_main",
    "_GLOBAL__sub_I_a.cpp",
    "_GLOBAL__I_000100_first",
  ],
  ["constructors of a variable", "__cxx_global_var_init", "__cxx_global_var_init.3", "__cxx_global_var_init.12"],
  [
    "static initialization (gcc)",
    "_Z41__static_initialization_and_destruction_0ii",
    "_Z41__static_initialization_and_destruction_0v",
    "_Z41__static_initialization_and_destruction_1ii",
  ],
  [
    "copies and parts",
    "_Z4workv",
    "_Z4workv.constprop.0",
    "_Z4workv.isra.0.part.3",
    "_Z4workv.cold",
    "_Z4workv.part.0.cold.1",
    "_Z4workv.lto_priv.0",
    "_Z4workv.llvm.1234567890123",
    "_Z4workv.__uniq.263719283746192837461928374619",
    "_Z4workv.localalias",
    "_Z4workv.avx2",
    "_Z4workv.arch_haswell.0",
  ],
  ["copies of a C function", "work", "work.constprop.1", "work.llvm.99", "work.__uniq.123.llvm.99", "work.lto_priv.2"],
  ["nested functions", "inner.0", "inner.3456"],
  ["OpenMP (gcc)", "work._omp_fn.0", "work._omp_fn.12"],
  ["OpenMP (clang)", "work.omp_outlined", "work.omp_outlined.4"],
  ["OpenMP in C++", "_Z4workv._omp_fn.0", "_Z4workv._omp_fn.3"],
  ["blocks", "__main_block_invoke", "__main_block_invoke_2"],
  [
    "Rust, legacy",
    "_ZN3app4keep17h0123456789abcdefE",
    "_ZN3app4keep17hfedcba9876543210E",
    "_ZN3app4keep17hfedcba9876543210E.llvm.77",
  ],
  [
    "Rust, legacy closures",
    "_ZN3app4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE",
    "_ZN3app4main28_$u7b$$u7b$closure$u7d$$u7d$17h1111111111111111E",
  ],
  [
    "Rust, legacy, with dots of its own",
    "_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE",
    "_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h1111111111111111E.llvm.12",
  ],
  ["Rust v0", "_RNvCs1234_3app4keep", "_RNvCs9_3app4keep", "_RNvCseFgHiJkLmNo_3app4keep.llvm.5"],
  ["Rust v0 closures", "_RNCNvCs1234_3app4main0B3_", "_RNCNvCs9_3app4mains_0B3_", "_RNCNvCs9_3app4mains2_0B3_"],
  [
    "Rust v0, in template arguments",
    "_RINvCs1_3app4callNCNvB2_4main0EB2_",
    "_RINvCs7_3app4callNCNvB2_4mains_0EB2_",
    "_RINvCsab_3app4callNCNvB2_4mains4_0EB2_",
  ],
  ["Swift closures", "$s4main3fooyyFyycfU_", "$s4main3fooyyFyycfU0_", "$s4main3fooyyFyycfU11_"],
  [
    "Swift private names",
    "$s4main6secret33_0123456789ABCDEF0123456789ABCDEFLLyyF",
    "$s4main6secret33_FEDCBA9876543210FEDCBA9876543210LLyyF",
  ],
  ["D", "_D3app4mainFZ9__lambda1FZv", "_D3app4mainFZ10__lambda12FZv"],
  ["Zig", "main.make__anon_1234", "main.make__anon_99"],
  ["Nim 2", "leak__main_u3", "leak__main_u12"],
  ["Nim 1.6", "keep__app_7", "keep__app_13"],
  ["Nim 1", "leak__0Zb5TbLZ1Ag59cYmVbmmhZg", "leak__9aXQbLz29bK3cYmVbmm9cZgA_2"],
  ["OCaml", "camlMain__leak_270", "camlMain__leak_301", "camlMain__leak_270_455_code"],
  ["OCaml 5", "camlMain.fun_123", "camlMain.fun_7"],
  ["Go", "main.serve.func1", "main.serve.func2"],
  ["Go, in function literals", "main.serve.func1.2", "main.serve.func3.1"],
  ["cgo", "_cgo_0123456789ab_Cfunc_cleak", "_cgo_ba9876543210_Cfunc_cleak"],
  ["Fortran's contained procedures", "inner.12", "inner.40"],
];

/** Things of their own, whose names differ by little. */
const DIFFERENT = [
  ["_Z4workv", "_Z4worki"],
  ["_Z4workILi1EEvv", "_Z4workILi2EEvv"],
  ["alloc_16", "alloc_32"],
  ["read_u8", "read_u16"],
  ["sha256", "sha512"],
  ["keep__app_7", "keep__other_7", "drop__app_7"],
  ["_ZN12_GLOBAL__N_110._anon_1286methodEv", "_ZN12_GLOBAL__N_110._anon_1285otherEv"],
  ["f1", "f2"],
  ["__mod_MOD_run1", "__mod_MOD_run2"],
  ["_ZZ4mainENKUlvE_clEv", "_ZZ4mainENKUliE_clEi", "_ZZ5otherENKUlvE_clEv"],
  ["_ZN3app4keepE", "_ZN3app4dropE"],
  ["_ZN3app5keep117h0123456789abcdefE", "_ZN3app5keep217h0123456789abcdefE"],
  ["work._omp_fn.0", "work"],
  ["_RNvCs1_3app4keep", "_RNvCs1_3lib4keep"],
  ["_RNCNvCs1_3app4main0B3_", "_RNvCs1_3app4main"],
  ["camlMain__leak_270", "camlMain__keep_270"],
  ["main.serve", "main.serve.func1"],
  ["h17h", "h18h"],
  [
    "_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE",
    "_ZN4core3ptr42drop_in_place$LT$alloc..string..Other.$GT$17h0123456789abcdefE",
  ],
];

const bytesOf = (text: string) => new TextEncoder().encode(text);

for (const [what, ...names] of SAME) {
  test(`keys: ${what}`, () => {
    assert.deepEqual(new Set(names.map(nameKey)).size, 1, names.map(nameKey).join("\n"));
  });
}

test("keys: names of different things stay different", () => {
  for (const names of DIFFERENT)
    assert.equal(new Set(names.map(nameKey)).size, names.length, names.map(nameKey).join("\n"));
});

test("keys: what is told fast to have none has none", () => {
  const plain = ["main", "_Z4workv", "make_leak", "_ZNSt6vectorIiSaIiEE9push_backEOi", "_ZN12_GLOBAL__N_14anonEv"];
  for (const name of plain) assert.equal(mayHaveKey(bytesOf(name), 0, name.length), false, name);
  for (const [, ...names] of SAME)
    for (const name of names) assert.ok(mayHaveKey(bytesOf(name), 0, name.length) || nameKey(name) === name, name);
});

test("keys: programs and libraries", () => {
  for (const [name, key] of [
    ["app", "app"],
    ["app-0123456789abcdef", "app"],
    ["libapp-0123456789abcdef.so", "libapp.so"],
    ["libopenblas-1a2b3c4d.so.0", "libopenblas.so"],
    ["libz.so.1.2.13", "libz.so"],
    ["mod.cpython-311-x86_64-linux-gnu.so", "mod.cpython-311-x86_64-linux-gnu.so"],
    ["x-deadbee", "x-deadbee"],
  ] as const)
    assert.equal(moduleKey(name), key);
});

test("keys: patterns for readable names", () => {
  assert.equal(textKey("main::{lambda(int)#2}::operator()(int) const"), "main::{lambda(int)}::operator()(int) const");
  assert.equal(textKey("app::main::{closure#0}"), "app::main::{closure}");
  assert.equal(textKey("work() [clone .constprop.0]"), "work()");
  assert.equal(textKey("__static_initialization_and_destruction_0"), "__static_initialization_and_destruction");
  assert.equal(textKey("(anonymous namespace)::._anon_128::method()"), "(anonymous namespace)::._anon::method()");
  assert.equal(textKey("operator[](unsigned long)"), "operator[](unsigned long)");
});
