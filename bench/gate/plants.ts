// Leaks that are planted: each has to be told, by its function and its line, and nothing else.

import { atMarks, inFiles, type Project } from "./project.js";

export interface Plant {
  name: string;
  language: "native" | "rust";
  /** A part of the function's name. */
  function: string;
  apply(project: Project): Project;
}

/** Stands in the line that is planted, or that holds more. */
export const PLANTED = "/*planted*/";

/** A statement at the marks of a place. */
function at(
  language: Plant["language"],
  name: string,
  kind: "before" | "after" | "end" | "calls",
  mark: string,
  text: string,
  of = mark,
): Plant {
  return { name, language, function: of, apply: (project) => atMarks(project, /./, kind, () => text, mark) };
}

/** A part of a file's text replaced. */
function instead(language: Plant["language"], name: string, of: string, file: RegExp, part: string, by: string): Plant {
  return { name, language, function: of, apply: (project) => inFiles(project, file, (text) => text.replace(part, by)) };
}

const c = (name: string, kind: "before" | "after", mark: string, text = `sink = malloc(72); ${PLANTED}`) =>
  at("native", name, kind, mark, text);
const cxx = (name: string, kind: "before" | "after", mark: string, text = `sink = new char[72]; ${PLANTED}`) =>
  at("native", name, kind, mark, text);
const rs = (
  name: string,
  kind: "before" | "after",
  mark: string,
  text = `forget(vec![1u8; black_box(72)]); ${PLANTED}`,
) => at("rust", name, kind, mark, text);

export const PLANTS: readonly Plant[] = [
  c("in a function, above the known leak", "before", "plain_c1"),
  c("in a function, below the known leak", "after", "plain_c1"),
  c("as large as the known leak", "after", "wrapped_c1", `sink = wrapped_c1_make(); ${PLANTED}`),
  instead("native", "a block more in a loop", "run_c1", /c1\.c$/, "loop_c1(3);", `loop_c1(4); ${PLANTED}`),
  c("in a copied function", "before", "copied_c1"),
  c("in the C library", "before", "text_c1", `sink = strdup("planted"); ${PLANTED}`),
  c("behind a function pointer", "before", "pointed_c1"),
  c("in one of two functions of one name", "before", "same_c1", `sink = hold(malloc(72)); ${PLANTED}`),
  c("beside functions of the same code", "after", "twins_c1"),
  c("before main", "before", "before_main_c1"),
  c("in a library", "before", "plain_c2"),
  at("native", "in main", "calls", "c1", `  sink = malloc(72); ${PLANTED}`, "run_c1"),
  cxx("in a function of C++", "before", "plain_x1"),
  cxx("in a lambda beside a lambda", "before", "lambda_x1", `[] { sink = new char[72]; ${PLANTED} }();`),
  cxx(
    "in a lambda that is passed, beside others",
    "before",
    "passed_x1",
    `call([] { sink = new char[72]; ${PLANTED} });`,
  ),
  cxx("in a lambda behind another", "after", "passed_x1", `call([] { sink = new char[24]; ${PLANTED} });`),
  cxx("in a lambda in a lambda", "before", "nested_x1", `call([] { sink = new char[72]; ${PLANTED} });`),
  instead(
    "native",
    "in a generic lambda for another type",
    "generic_x1",
    /x1\.cc$/,
    "leak('c');",
    `leak('c'); leak(1.5); ${PLANTED}`,
  ),
  cxx("in a std::function", "before", "function_x1"),
  cxx(
    "what a lambda captures",
    "after",
    "captured_x1",
    `sink = new std::function<void()>([large, more = 1L] { sink = (char *)&large + more; }); ${PLANTED}`,
  ),
  at("native", "in a global's initializer", "end", "x1", `void *planted_x1 = hold(new char[72]); ${PLANTED}`, ""),
  cxx("in a function that initializes a global", "before", "global_x1", `sink = new char[72]; ${PLANTED}`),
  cxx(
    "in a static variable",
    "before",
    "local_static_x1",
    `static auto *planted = new char[72]; sink = planted; ${PLANTED}`,
  ),
  at("native", "in an unnamed namespace", "before", "hidden_x1", `sink = new char[88]; ${PLANTED}`, "same_name"),
  instead(
    "native",
    "in an unnamed type",
    "method",
    /x1\.cc$/,
    "void method() { sink = new char[56]; }",
    `void method() {\n    sink = new char[56];\n    sink = new char[72]; ${PLANTED}\n  }`,
  ),
  instead(
    "native",
    "in a template for another type",
    "instance_x1",
    /x1\.cc$/,
    "instance_x1_Holder<double>().keep();",
    `instance_x1_Holder<double>().keep();\n  instance_x1_Holder<long double>().keep(); ${PLANTED}`,
  ),
  at("native", "in a template of a header", "before", "shared_template", `sink = new char[72]; ${PLANTED}`),
  cxx("in a constructor", "before", "object_x1"),
  instead(
    "native",
    "in a virtual method",
    "work",
    /x1\.cc$/,
    "void work() override { sink = new char[64]; }",
    `void work() override {\n    sink = new char[64];\n    sink = new char[72]; ${PLANTED}\n  }`,
  ),
  cxx("in a container", "after", "containers_x1", `sink = new std::vector<double>(9); ${PLANTED}`),
  instead(
    "native",
    "by another call of a copied function",
    "folded_x1",
    /x1\.cc$/,
    "folded_x1_copy(folded_x1_size(3), true);",
    `folded_x1_copy(folded_x1_size(3), true);\n  folded_x1_copy(72, false); ${PLANTED}\n  sink = nullptr;`,
  ),
  cxx("in a thread", "before", "thread_x1"),
  at("native", "in a coroutine", "before", "coroutine_x2", `sink = new char[72]; ${PLANTED}`),

  rs("in a function, above the known leak", "before", "plain_r1"),
  rs("in a function, below the known leak", "after", "plain_r1"),
  rs("in a module", "before", "plain_r2"),
  rs("in a box", "before", "boxed_r1", `black_box(Box::leak(Box::new([1u64; 9]))); ${PLANTED}`),
  rs("in a closure beside a closure", "before", "closure_r1", `call(|| forget(vec![1u8; black_box(72)])); ${PLANTED}`),
  rs("in a closure behind another", "after", "closure_r1", `call(|| forget(vec![2u8; black_box(24)])); ${PLANTED}`),
  rs("in a generic function", "before", "generic_r1"),
  instead(
    "rust",
    "in a generic function for another type",
    "generic_r1",
    /main\.rs$/,
    "generic_r1_of(1u16);",
    `generic_r1_of(1u16);\n    generic_r1_of(1u128); ${PLANTED}`,
  ),
  at("rust", "in a method of a trait", "before", "object_r1", `forget(vec![1u8; black_box(72)]); ${PLANTED}`, "work"),
  at("rust", "in a future", "before", "future_r1", `forget(vec![1u8; black_box(72)]); ${PLANTED}`, "future_r1_inner"),
  rs("by a crate that it depends on", "before", "dependency_r1", `dep::keep(black_box(72)); ${PLANTED}`),
  rs("by a generic function of that crate", "before", "dependency_r1", `dep::keep_all(1.5f64); ${PLANTED}`),
  at("rust", "in that crate", "before", "keep_dep", `forget(vec![1u8; black_box(72)]); ${PLANTED}`, "keep"),
  rs(
    "in a closure for that crate",
    "after",
    "dependency_r1",
    `dep::with(|size| forget(vec![1u8; 3 * size])); ${PLANTED}`,
  ),
  rs("beside functions of the same code", "after", "twins_r1"),
  rs("in a thread", "before", "thread_r1"),
];
