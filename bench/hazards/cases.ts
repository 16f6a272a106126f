// The hazards of test/programs that both tools can be asked to survive: which
// program, how it is called, and what it leaves live.

import { expectations } from "../../test/support/expectations.js";
import { build, which } from "../../test/support/programs.js";

export interface Case {
  name: string;
  program: string;
  args: string[];
  env: Record<string, string>;
  /**
   * Heap bytes that must be live at the end, by function: known before, or what
   * it prints of one function; null: it does not say.
   */
  live: Map<string, number> | { printedFor: string } | null;
}

/** What a program's own table says, without what libraries allocate for it. */
function table(source: string): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const row of expectations(source)) {
    if (row.kind !== "heap" || row.via !== "" || row.size === "*") continue;
    bytes.set(row.function, (bytes.get(row.function) ?? 0) + row.count * row.size);
  }
  return bytes;
}

export function cases(): Case[] {
  const of = (source: string, args: string[], live: Case["live"], env = {}): Case => ({
    name: `${source} ${args.join(" ")}`.trim(),
    program: build(source),
    args,
    env,
    live,
  });
  const simple = (source: string, args: string[] = [], name?: string): Case => {
    const one = of(source, args, table(source));
    return { ...one, name: name ?? one.name };
  };
  const counted = (source: string, args: string[], printedFor: string, env = {}) =>
    of(source, args, { printedFor }, env);
  const plugin = build("plugin.c", { shared: true });
  const other = build("plugin.c", { shared: true, flags: ["-DOTHER"] });
  const oneArena = "glibc.malloc.arena_max=1:glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0";
  return [
    ...["fork", "_Fork", "clone", "vfork"].map((kind) => counted("fork_storm.c", [kind, "200"], "churn")),
    simple("forks.c"),
    simple("daemon.c"),
    simple("prefork.c"),
    simple("spawning.c", [which("true") ?? "true"], "spawning.c"),
    simple("images.c", ["2"], "images.c: a chain of execs"),
    simple("threads.c"),
    simple("crowd.c", ["100"]),
    simple("cancel.c"),
    // What it counts are mappings too, which heaptrack does not record.
    of("churn.c", ["4", "200000", "1"], null),
    counted("realloc_race.c", ["500000"], "race", { GLIBC_TUNABLES: oneArena }),
    simple("realloc.c"),
    simple("signals.c"),
    ...["return", "above", "disarm"].map((how) => counted("signal_storm.c", [how, "3000"], "churn")),
    of("signal_storm.c", ["jump", "2000"], new Map([["afterwards", 3210]])),
    counted("profiler.c", ["200"], "churn"),
    simple("coroutines.c"),
    simple("exceptions.cc"),
    simple("generated.c"),
    simple("dlopen.c", [plugin], "dlopen.c"),
    simple("reloading.c", [plugin, other], "reloading.c"),
    simple("dlmopen.c", [plugin, other], "dlmopen.c"),
    simple("lifecycle.c"),
    simple("lifecycle_cxx.cc"),
    simple("operators.cc"),
    simple("own_new.cc"),
    of("own_malloc.c", [], null),
    ...["close", "reuse", "use-up", "chdir"].map((how) => of("descriptors.c", [how, "own.txt"], null)),
    ...[
      ["as", "300000000"],
      ["fsize", "200000"],
      ["nofile", "3"],
      ["stack", "65536"],
    ].map((limit) => of("limited.c", limit, null)),
    ...["exit-in-thread", "main-thread-leaves", "return-while-threads-run", "quick_exit", "_exit", "exit_group"].map(
      (how) => simple("ending.c", [how]),
    ),
    ...["abort", "SIGTERM", "SIGSEGV", "SIGKILL"].map((how) => simple("ending.c", [how])),
  ];
}
