// Compares what must be live at the end of a program of test/programs, by its opening comment, with what its store
// says.
//
//   store ──▶ readReport() ──▶ rows()  ═══  expectations("leaks.c")

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Allocation, MemoryKind, Query, Report } from "../../runtime/host/types.js";
import { report } from "../../runtime/reports/report.js";
import { openStore } from "../../runtime/stores/store.js";
import { Symbolizer } from "../../runtime/symbols/symbolize.js";
import { ownTarget } from "./compilers.js";
import { root } from "./run.js";

export type FullReport = Report & { allocations: Allocation[] };

/** What `memview --format json` says of a store, single allocations with their stacks. */
export async function readReport(path: string, query: Partial<Query> = {}): Promise<FullReport> {
  const store = await openStore(path);
  const symbolizer = new Symbolizer();
  try {
    const live = await report(store, { aggregate: false, sort: "address", ...query }, symbolizer, {
      stacks: true,
    });
    return { ...live, allocations: [...(live.allocations ?? [])], stacks: [...(live.stacks ?? [])] };
  } finally {
    symbolizer.close();
    await store.close();
  }
}

export interface Row {
  count: number;
  size: number | "*";
  kind: MemoryKind;
  function: string;
  via: string;
}

/**
 * The table in the opening comment of test/programs/SOURCE for a target;
 * `prefix` chooses one of several (see program.h).
 */
export function expectations(source: string, prefix = "", target = ownTarget): Row[] {
  const text = readFileSync(join(root, "test/programs", source), "utf8");
  const libc = target.name.endsWith("-gnu") ? "(?:glibc )?" : "";
  const prefixed = prefix ? `${prefix.replaceAll("+", "\\+")} ` : "";
  const pattern = new RegExp(
    String.raw`^(?: \*|//) ${libc}${prefixed}live (\d+) x (\d+|\*) (heap|mmap|custom) (.+?)(?: via (\S+))?$`,
    "gm",
  );
  const rows = [...text.matchAll(pattern)].map((match): Row => {
    const [, count, size, kind, name, via] = match;
    return {
      count: Number(count),
      size: size === "*" ? "*" : Number(size),
      kind: kind as MemoryKind,
      function: name!,
      via: via ?? "",
    };
  });
  assert.ok(rows.length > 0, `${source} has no table${prefix ? ` for ${prefix}` : ""}`);
  return rows;
}

/** "libc" for the module …/libc.so.6 or …/libc-2.31.so. */
function libraryName(module: string): string {
  return basename(module).replace(/[-.][\d.]*so.*$|-[\d.]+\.so$/, "");
}

/** Frames of the C++ library that is between a function of the program and malloc, where it is part of the program. */
function isPlumbing(name: string | null): boolean {
  return name !== null && /^(operator[ _]new|std::|__gnu_cxx::|void\* std::)/.test(name);
}

/**
 * Where an allocation belongs: the innermost function of one of the modules, undefined when none is on its stack. Calls
 * that the compiler inlined belong to the function they are in.
 */
export function owner(
  allocation: Allocation,
  modules: readonly string[],
): { function: string; via: string } | undefined {
  const frame = allocation.stack.find(
    (candidate) => modules.includes(candidate.module) && !candidate.inlined && !isPlumbing(candidate.function),
  );
  if (!frame) return undefined;
  const innermost = allocation.stack[0]!.module;
  return {
    function: frame.function ?? `${basename(frame.module)}+${frame.offset}`,
    via: modules.includes(innermost) ? "" : libraryName(innermost),
  };
}

/** The allocations that functions of these modules asked for themselves. */
export function owned(allocations: readonly Allocation[], ...modules: string[]): Allocation[] {
  return allocations.filter((allocation) => owner(allocation, modules)?.via === "");
}

/** One row for each distinct kind of allocation of these modules, as in the tables. */
export function rows(allocations: readonly Allocation[], modules: readonly string[], table: readonly Row[]): Row[] {
  const found = new Map<string, Row>();
  for (const allocation of allocations) {
    const place =
      owner(allocation, modules) ?? (allocation.stack.length === 0 ? { function: "(no stack)", via: "" } : undefined);
    if (!place) continue;
    const expected = table.filter((row) => row.function === place.function && row.via === place.via);
    if (place.via !== "" && expected.length === 0) continue;
    const size = expected.some((row) => row.size === "*") ? "*" : allocation.size;
    const key = `${size} ${allocation.kind} ${place.function} ${place.via}`;
    const row = found.get(key);
    if (row) row.count++;
    else found.set(key, { count: 1, size, kind: allocation.kind, ...place });
  }
  return [...found.values()];
}

/** Rows as sorted lines of text, for a comparison that is easy to read when it fails. */
export function lines(table: readonly Row[]): string[] {
  return table
    .map((row) => `${row.count} x ${row.size} ${row.kind} ${row.function}${row.via ? ` via ${row.via}` : ""}`)
    .sort();
}

/** A store's live allocations must be those of the table, and those that the program printed with keep(). */
export function assertTable(found: FullReport, table: readonly Row[], stdout: string, ...modules: string[]): void {
  assert.deepEqual(lines(rows(found.allocations, modules, table)), lines(table));
  const sizes = new Map(found.allocations.map((allocation) => [allocation.address, allocation.size]));
  for (const match of stdout.matchAll(/^live (0x[0-9a-f]+) (\d+)$/gm)) {
    assert.equal(sizes.get(match[1]!), Number(match[2]), `size recorded at ${match[1]}`);
  }
  assert.equal(found.totals.dropped, 0);
}
