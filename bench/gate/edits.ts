// Edits that leak nothing: whatever is known before has to be known behind them.

import { atMarks, inFiles, type Project, renamed } from "./project.js";
import type { Toolchain } from "./toolchains.js";

export interface Edit {
  name: string;
  /** Which projects it leaves what they are; all without it. */
  isFor?: (project: Project) => boolean;
  /** Whether it goes together with others, and with plants. */
  together?: boolean;
  /** Undefined where the toolchain knows no such thing. */
  apply(project: Project, toolchain: Toolchain): Project | undefined;
}

type Language = "c" | "cc" | "rs";
const SOURCES = /\/(?!sink|template|common|main\.c)\w+\.(c|cc|rs)$/;

/** What is put at marks, in each language. `N` stands for the mark's name, so that global names differ. */
function added(name: string, kind: string, texts: Partial<Record<Language, string>>): Edit {
  return {
    name,
    together: true,
    apply(project) {
      let edited = project;
      for (const [language, text] of Object.entries(texts)) {
        edited = atMarks(edited, new RegExp(`${SOURCES.source.replace("(c|cc|rs)", language)}`), kind, (mark) =>
          text.replaceAll("N_", `${mark}_`),
        );
      }
      return edited === project ? undefined : edited;
    },
  };
}

function flagged(name: string, flags: (toolchain: Toolchain) => readonly string[] | undefined, linking = false): Edit {
  return {
    name,
    apply(project, toolchain) {
      const more = flags(toolchain);
      if (more === undefined) return undefined;
      return linking
        ? { ...project, linking: [...project.linking, ...more] }
        : { ...project, flags: [...project.flags, ...more] };
    },
  };
}

const native =
  (...flags: string[]) =>
  (toolchain: Toolchain) =>
    toolchain.language === "native" ? flags : undefined;
const rust =
  (...flags: string[]) =>
  (toolchain: Toolchain) =>
    toolchain.language === "rust" ? flags : undefined;
const either = (ofNative: string, ofRust: string) => (toolchain: Toolchain) => [
  toolchain.language === "native" ? ofNative : ofRust,
];

const FUNCTION: Record<Language, string> = {
  c: "int N_added(int of) { return of + 1; }",
  cc: "namespace { template <class T> T N_added(T of) { return of + 1; } }\nint N_used() { return N_added(1); }",
  rs: "pub fn N_added(of: u32) -> u32 {\n    of + 1\n}",
};
const LAMBDA: Record<Language, string> = {
  c: "sink = NULL;",
  cc: "call([] { sink = nullptr; });",
  rs: "std::iter::once(1).for_each(|one| {\n    black_box(one);\n});",
};

export const EDITS: readonly Edit[] = [
  added("comments above everything", "top", { c: "// One\n// Two", cc: "// One\n// Two", rs: "// One\n// Two" }),
  added("lines in every function", "before", { c: "\n\n", cc: "\n\n", rs: "\n\n" }),
  added("a function above", "top", FUNCTION),
  added("a function below", "end", {
    c: "int N_below;\nint N_last(void) { return 2; }",
    cc: "int N_last() { return 2; }",
    rs: "pub fn N_last() -> u32 {\n    2\n}",
  }),
  added("a lambda above, in each function", "before", LAMBDA),
  added("a lambda below, in each function", "after", LAMBDA),
  added("two lambdas, one in the other", "before", {
    c: "for (int i = 0; i < 2; i++) sink = NULL;",
    cc: "call([] { call([] { sink = nullptr; }); });",
    rs: "(|| (|| drop(black_box(1)))())();",
  }),
  added("a lambda that takes something", "before", {
    cc: "[](auto value) { sink = &value; }(1);",
    rs: "black_box((|value: u32| value + 1)(2));",
  }),
  added("a lambda that nobody calls", "before", {
    cc: "{ auto unused = [](int) { sink = nullptr; }; (void)unused; }",
    rs: "let _ = |value: u32| value + 1;",
  }),
  added("an unnamed type", "before", {
    c: "struct { int one; } N_unnamed = {1}; (void)N_unnamed;",
    cc: "{ struct { int one; void work() { sink = this; } } unnamed{1}; unnamed.work(); }",
  }),
  added("unnamed types above", "top", {
    c: "static struct { int one; } N_unnamed; void *N_unnamed_user(void) { return &N_unnamed; }",
    cc: "namespace { struct { void work() { sink = this; } } N_unnamed; }\nvoid N_work() { N_unnamed.work(); }",
    rs: "const _: () = {\n    struct Unnamed;\n    impl Drop for Unnamed {\n        fn drop(&mut self) {}\n    }\n};",
  }),
  added("a global above, with code of its own", "top", {
    c: "static int N_begun;\n__attribute__((constructor)) static void N_begin(void) { N_begun = 1; }",
    cc: "static int N_begin() { return sink ? 1 : 2; }\nint N_begun = N_begin();",
    rs: "static N_BEGUN: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);",
  }),
  added("a global below, with code of its own", "end", {
    c: "int N_more;\n__attribute__((constructor)) static void N_end(void) { N_more = 1; }",
    cc: "static int N_finish() { return sink ? 1 : 2; }\nint N_more = N_finish();",
    rs: 'static N_MORE: &str = "more";',
  }),
  added("a global lambda", "top", {
    cc: "auto N_global = [] { sink = nullptr; };\nstd::function<void()> N_held = [] { sink = nullptr; };",
    rs: "static N_CLOSURE: fn(u32) -> u32 = |of| of + 1;",
  }),
  added("a global initialized by a lambda", "top", {
    cc: "static void *N_result = [] { return sink; }();",
    rs: "const N_RESULT: u32 = {\n    const fn of() -> u32 {\n        1\n    }\n    of()\n};",
  }),
  added("a static variable in each function", "before", {
    c: "{ static int calls; calls++; }",
    cc: "{ static int calls = sink ? 1 : 2; calls++; }",
    rs:
      "{\n    static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);\n" +
      "    black_box(&CALLS);\n}",
  }),
  added("another instance of the same template", "calls", {
    cc: "  call([value = 1] { sink = (void *)&value; });",
    rs: "    call(|| drop(black_box(1)));",
  }),
  {
    name: "the functions in reverse order",
    apply: (project) =>
      inFiles(project, SOURCES, (source) =>
        source.replace(
          /(\/\/@top (?!dep)\w+\n\n)([\s\S]*?)(\n\n\/\/@end)/,
          (_, top: string, places: string, end: string) => {
            return top + places.split("\n\n").reverse().join("\n\n") + end;
          },
        ),
      ),
  },
  {
    name: "a unit more",
    together: true,
    apply(project, { language }) {
      const files = new Map(project.files);
      if (language === "rust") {
        files.set("src/added.rs", "pub fn added() -> u32 {\n    1\n}\n");
        files.set("src/main.rs", files.get("src/main.rs")!.replace("mod r2;", "mod added;\nmod r2;"));
        return { ...project, files };
      }
      files.set("src/added.cc", '#include "template.h"\nvoid added() {\n  call([] { sink = nullptr; });\n}\n');
      return { ...project, files, units: ["src/added.cc", ...project.units] };
    },
  },
  {
    name: "the units in reverse order",
    together: true,
    apply: (project, { language }) =>
      language === "rust" ? undefined : { ...project, units: [...project.units].reverse() },
  },
  { name: "another version", together: true, apply: (project) => ({ ...project, version: "2.0.0" }) },
  { name: "another folder", together: true, apply: (project) => ({ ...project, folder: "elsewhere/deeper/checkout" }) },
  {
    name: "the folder of the sources renamed",
    together: true,
    apply: (project, { language }) =>
      renamed(project, (file) => (language === "rust" ? `crates/${file}` : file.replace(/^src\//, "source/code/"))),
  },
  {
    name: "the files renamed",
    together: true,
    apply(project, { language }) {
      if (language === "rust") {
        const moved = renamed(project, (file) =>
          file.replace("src/main.rs", "src/program.rs").replace("r2.rs", "r2/mod.rs"),
        );
        return moved;
      }
      return renamed(project, (file) => file.replace(/\/([cx][12])\.c/, "/renamed_$1_file.c"));
    },
  },
  flagged("-O1", either("-O1", "-Copt-level=1")),
  flagged("-O2", either("-O2", "-Copt-level=2")),
  flagged("-O3", either("-O3", "-Copt-level=3")),
  flagged("-Os", either("-Os", "-Copt-level=s")),
  flagged("LTO", ({ lto }) => lto),
  flagged("ThinLTO", ({ thinLto }) => thinLto),
  flagged("calls stay calls", native("-fno-inline", "-fno-optimize-sibling-calls")),
  flagged("position dependent", (toolchain) =>
    toolchain.language === "native" ? ["-fno-pie", "-no-pie"] : ["-Crelocation-model=static"],
  ),
  flagged("frame pointers", either("-fno-omit-frame-pointer", "-Cforce-frame-pointers=yes")),
  {
    ...flagged("DWARF 4", native("-gdwarf-4")),
    // It would be debug information where there was none.
    isFor: ({ flags }) => !flags.includes("-g0"),
  },
  flagged("sections for each function, collected", native("-ffunction-sections", "-Wl,--gc-sections")),
  flagged("mold links", native("-fuse-ld=mold"), true),
  flagged("gold links", native("-fuse-ld=gold"), true),
  flagged("one unit of code", rust("-Ccodegen-units=1")),
  flagged("the other mangling", ({ mangling }) => mangling),
  flagged("a panic aborts", rust("-Cpanic=abort")),
];
