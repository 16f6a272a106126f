// The two tools, each run in its documented way:
// `LD_PRELOAD=libmemhook.so MEMHOOK_FILE=…`, and `heaptrack -o … PROGRAM`, read with
// `heaptrack_print`. What they say is live is brought to one form: bytes by function.

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { preloadAlways } from "../../runtime/programs/preload.js";
import { openStore } from "../../runtime/stores/store.js";
import { readReport } from "../../test/support/expectations.js";
import { library, which } from "../../test/support/programs.js";

export interface Tool {
  name: string;
  missing?: string | undefined;
  /** What to run, with its environment. */
  command(words: string[], folder: string): { words: string[]; env: Record<string, string> };
  /** Without what the tool itself prints. */
  output(text: string): string;
  /** Bytes live at the end by function, in the innermost of `names`. Throws when its data cannot be read. */
  live(folder: string, pid: number, names: ReadonlySet<string>): Promise<Map<string, number>>;
}

function add(sums: Map<string, number>, name: string | undefined, bytes: number): void {
  if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + bytes);
}

export const memhook: Tool = {
  name: "memhook",
  command: (words, folder) => ({
    words,
    env: { LD_PRELOAD: preloadAlways(library), MEMHOOK_FILE: join(folder, "%e.%p.mem") },
  }),
  output: (text) => text,
  async live(folder, pid, names) {
    const sums = new Map<string, number>();
    const stores = readdirSync(folder).filter((name) => name.endsWith(".mem"));
    if (!stores.some((name) => name.endsWith(`.${pid}.mem`))) throw new Error("no store");
    for (const name of stores) {
      const store = await openStore(join(folder, name));
      await store.query({ aggregate: true, sort: "size" });
      store.close();
      if (!name.endsWith(`.${pid}.mem`)) continue;
      const { allocations } = await readReport(join(folder, name), { kind: "heap" });
      for (const { size, stack } of allocations) {
        add(
          sums,
          stack.map((frame) => frame.function ?? "").find((function_) => names.has(function_)),
          size,
        );
      }
    }
    return sums;
  },
};

const HEAPTRACKS = new RegExp(
  [
    String.raw`^(\/.*\/libheaptrack_preload.so$|heaptrack output will be written to|starting application, this might`,
    String.raw`heaptrack stats:|\s+(allocations|leaked allocations|temporary allocations):|Heaptrack finished!`,
    String.raw`\s+heaptrack --analyze|\s*$)`,
  ].join("|"),
);

export const heaptrack: Tool = {
  name: "heaptrack",
  missing: which("heaptrack") ? undefined : "heaptrack is not installed",
  command: (words, folder) => ({ words: ["heaptrack", "-o", join(folder, "data"), ...words], env: {} }),
  output: (text) =>
    text
      .split("\n")
      .filter((line) => !HEAPTRACKS.test(line))
      .join("\n"),
  async live(folder, _pid, names) {
    const data = ["data.zst", "data.gz"].map((name) => join(folder, name)).find((path) => existsSync(path));
    if (!data || statSync(data).size === 0) throw new Error("no data");
    const flames = join(folder, "flames");
    const { status, stderr } = spawnSync(
      "heaptrack_print",
      ["-f", data, "--flamegraph-cost-type", "leaked", "-F", flames],
      { encoding: "utf8", timeout: 60_000, maxBuffer: 1 << 28 },
    );
    if (status !== 0) throw new Error(`heaptrack_print ended with ${status}: ${stderr.trim().split("\n").at(-1)}`);
    const sums = new Map<string, number>();
    // function (file);…;function (file); BYTES, outermost first
    for (const line of readFileSync(flames, "utf8").split("\n")) {
      const [, stack, bytes] = /^(.*) (-?\d+)$/.exec(line) ?? [];
      const functions = (stack ?? "").split(";").map((frame) => frame.replace(/ \([^ ]*\)$/, ""));
      add(
        sums,
        functions.reverse().find((name) => names.has(name)),
        Number(bytes),
      );
    }
    return sums;
  },
};
