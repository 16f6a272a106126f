// What a program is run under: nothing, memhook, and others. A contestant is
//
//   { name, title, missing?, prepare?(folder) → { variables, wrap? }, own? }
//
// `missing` says why it cannot run here. `variables` are set for the program and so for its children; where a tool does
// not follow children, `own` is true and the workload puts `wrap`, words in front
// of a command, before each child that counts. `slow`: it gets inputs that are
// smaller by this factor, and is compared with the program alone on these (`base`).

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** What records every allocation behind one lock takes 50 to 200 times as long as the program alone. */
const SLOW = 10;

const has = (program) => spawnSync("sh", ["-c", `command -v ${program}`]).status === 0;

function findLibrary(name) {
  for (const folder of readdirSync("/usr/lib").filter((entry) => entry.endsWith("-linux-gnu"))) {
    const path = join("/usr/lib", folder, name);
    if (existsSync(path)) return path;
  }
  return null;
}

/** Whether jemalloc was built with its profiler: it complains about the option otherwise. */
function jemallocProfiles(library) {
  const env = { ...process.env, LD_PRELOAD: library, MALLOC_CONF: "prof:true" };
  return !/Invalid conf/.test(spawnSync("/bin/true", [], { env, encoding: "utf8" }).stderr);
}

export function contestants(memhook, out) {
  const jemalloc = findLibrary("libjemalloc.so.2");
  const tcmalloc = findLibrary("libtcmalloc.so.4");
  const heaptrack = "/usr/lib/heaptrack/libheaptrack_preload.so";
  const noJemalloc = !jemalloc
    ? "libjemalloc2 is not installed"
    : jemallocProfiles(jemalloc)
      ? undefined
      : "this libjemalloc was built without its profiler";
  const underMemhook = (folder, more) => ({
    variables: [`LD_PRELOAD=${memhook}`, `MEMHOOK_FILE=${join(folder, "%e.%p.store")}`, ...more],
  });
  const underJemalloc = (folder, options) => ({
    variables: [`LD_PRELOAD=${jemalloc}`, `MALLOC_CONF=prof:true,prof_active:true,prof_prefix:${folder}/je${options}`],
  });
  return [
    { name: "native", title: "alone", prepare: () => ({ variables: [] }) },
    {
      name: "native-small",
      title: "alone, small inputs",
      slow: SLOW,
      hidden: true,
      prepare: () => ({ variables: [] }),
    },
    {
      name: "forward",
      title: "interposition",
      prepare: () => ({ variables: [`LD_PRELOAD=${resolve(out, "forward.so")}`] }),
    },
    {
      name: "memhook",
      title: "memhook",
      missing: existsSync(memhook) ? undefined : `${memhook} is not built`,
      prepare: (folder) => underMemhook(folder, []),
    },
    {
      name: "sampled",
      title: "memhook, 512 KiB samples",
      missing: existsSync(memhook) ? undefined : `${memhook} is not built`,
      prepare: (folder) => underMemhook(folder, ["MEMHOOK_SAMPLE=512KiB"]),
    },
    {
      // The process by itself: no pipe, no compressor and no interpreter beside it.
      name: "heaptrack-raw",
      title: "heaptrack, process only",
      missing: existsSync(heaptrack) ? undefined : "heaptrack is not installed",
      own: true,
      prepare: (folder) => {
        const variables = [`LD_PRELOAD=${heaptrack}`, `DUMP_HEAPTRACK_OUTPUT=${folder}/raw.$$`];
        return { variables, wrap: ["env", ...variables] };
      },
    },
    {
      name: "heaptrack",
      title: "heaptrack, as shipped",
      missing: has("heaptrack") ? undefined : "heaptrack is not installed",
      own: true,
      prepare: (folder) => {
        const script = join(folder, "under-heaptrack");
        writeFileSync(script, `#!/bin/sh\nexec heaptrack -o ${folder}/out.$$ "$@"\n`, { mode: 0o755 });
        return { variables: [], wrap: [script] };
      },
    },
    {
      name: "jemalloc",
      title: "jemalloc, every allocation",
      missing: noJemalloc,
      slow: SLOW,
      base: "native-small",
      prepare: (folder) => underJemalloc(folder, ",lg_prof_sample:0"),
    },
    {
      name: "jemalloc-sampled",
      title: "jemalloc, 512 KiB samples",
      missing: noJemalloc,
      prepare: (folder) => underJemalloc(folder, ""),
    },
    {
      name: "gperftools",
      title: "gperftools",
      missing: tcmalloc ? undefined : "libgoogle-perftools4 is not installed",
      slow: SLOW,
      base: "native-small",
      prepare: (folder) => ({ variables: [`LD_PRELOAD=${tcmalloc}`, `HEAPPROFILE=${folder}/gperf`] }),
    },
  ];
}
