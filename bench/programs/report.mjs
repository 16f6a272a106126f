// Makes a report of measured runs: tables of ratios, and what design section 9 asks against what was measured. Pure.
//
// A ratio is that of a run to the run of the program alone in the same round, so that a machine that slows down for a
// while slows both. Reported are the median of the rounds, and the lowest and the highest.

import { cpus, release } from "node:os";

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const digits = (number) => (number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2));

/** Ratios of each round, or differences for memory. */
function compared(result, name, measure, base = "native") {
  const runs = result.runs[name];
  const alone = result.runs[base];
  if (!runs?.length || !alone?.length) return null;
  const rounds = Math.min(runs.length, alone.length);
  return Array.from({ length: rounds }, (_, i) =>
    measure === "memory" ? runs[i].memory - alone[i].memory : runs[i][measure] / alone[i][measure],
  );
}

function cell(numbers) {
  if (!numbers) return "–";
  return `${digits(median(numbers))} (${digits(Math.min(...numbers))}–${digits(Math.max(...numbers))})`;
}

function table(field, results, measure, unit) {
  const others = field.filter((one) => !one.name.startsWith("native"));
  const lines = [
    `| | alone, ${unit} | ${others.map((one) => one.title).join(" | ")} |`,
    `|---|---|${others.map(() => "---|").join("")}`,
  ];
  for (const result of results) {
    const alone = result.runs.native?.map((run) => run[measure]) ?? [];
    const cells = others.map((one) => cell(compared(result, one.name, measure, one.base)));
    lines.push(`| ${result.name} | ${alone.length ? digits(median(alone)) : "–"} | ${cells.join(" | ")} |`);
  }
  return lines.join("\n");
}

/** What was measured against what is asked; rows whose workload was not run are left out. */
function targets(results, memory) {
  const rows = [];
  const add = (what, asked, measured, met) =>
    rows.push(`| ${what} | ${asked} | ${measured} | ${met ? "met" : "**missed**"} |`);
  const result = (name) => results.find((one) => one.name === name);
  const ratio = (name, contestant, measure) => {
    const found = result(name);
    const numbers = found && compared(found, contestant, measure);
    return numbers ? median(numbers) : null;
  };
  const time = (name, contestant, measure) => {
    const runs = result(name)?.runs[contestant];
    return runs?.length ? median(runs.map((run) => run[measure])) : null;
  };
  const atMost = (name, limit, contestant = "memhook") => {
    const measured = ratio(name, contestant, "cpu");
    if (measured)
      add(
        `${name}${contestant === "sampled" ? ", sampled" : ""}: CPU`,
        `≤ ${limit}`,
        digits(measured),
        measured <= limit,
      );
  };

  atMost("pairs, 1 thread", 2.2);
  for (const [threads, limit] of [
    [1, 6],
    [2, 9],
  ]) {
    const name = `pairs, ${threads} thread${threads > 1 ? "s" : ""}`;
    for (const [peer, title] of [
      ["heaptrack", "as shipped"],
      ["heaptrack-raw", "process only"],
    ]) {
      const [theirs, ours] = [time(name, peer, "wall"), time(name, "memhook", "wall")];
      if (theirs && ours)
        add(
          `${name}: heaptrack's time (${title}) to ours`,
          `≥ ${limit}`,
          digits(theirs / ours),
          theirs / ours >= limit,
        );
    }
  }
  for (const threads of [2, 4])
    for (const measure of ["cpu", "wall"]) {
      const [one, more] = [
        ratio("pairs, 1 thread", "memhook", measure),
        ratio(`pairs, ${threads} threads`, "memhook", measure),
      ];
      if (one && more)
        add(
          `pairs, ${threads} threads to 1: ${measure === "cpu" ? "CPU" : "wall"} slowdown`,
          "≤ 1.15",
          digits(more / one),
          more / one <= 1.15,
        );
    }
  atMost("tight pairs, 1 thread", 4);
  atMost("tight pairs, 2 threads", 4);
  for (const [name, limit] of [
    ["sqlite3 script", 1.25],
    ["C++ map and string churn", 1.4],
    ["C++ map and string churn, dense", 1.4],
    ["python3, PYTHONMALLOC=malloc", 1.75],
    ["gcc -O2", 1.25],
  ]) {
    atMost(name, limit);
    const alone = time(name, "native", "cpu");
    const ours = time(name, "memhook", "cpu");
    for (const [peer, title] of [
      ["heaptrack", "as shipped"],
      ["heaptrack-raw", "process only"],
    ]) {
      const theirs = time(name, peer, "cpu");
      if (!theirs || !ours || !alone) continue;
      const share = (ours - alone) / (theirs - alone);
      add(`${name}: our added CPU to heaptrack's (${title})`, "≤ 0.33", digits(share), share <= 1 / 3);
    }
  }
  atMost("pairs, 1 thread", 1.15, "sampled");
  if (memory) {
    const { million, small } = memory;
    add("1,000,000 live blocks: memory grows by", "≤ 70 MiB", `${digits(million.memory)} MiB`, million.memory <= 70);
    add("1,000,000 live blocks: disk, bytes each", "≤ 64", digits(million.disk / 1e6), million.disk <= 64e6);
    add("small program: memory grows by", "< 2 MiB", `${digits(small.memory)} MiB`, small.memory < 2);
    add("small program: disk", "< 2 MiB", `${digits(small.disk / 2 ** 20)} MiB`, small.disk < 2 ** 21);
  }
  if (rows.length === 0) return "";
  return `## Targets\n\n| what | target | measured | |\n|---|---|---|---|\n${rows.join("\n")}\n`;
}

export function report({ field, results, missing, repeats, quick, memory }) {
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, Linux ${release().split("-")[0]}`;
  return [
    `# Programs under memhook and others, ${date}\n`,
    `${machine}. ${repeats} interleaved repeats${quick ? ", small inputs" : ""}; median (lowest–highest) of the ` +
      "ratio to the",
    "program alone in the same round.\n",
    "## CPU time (user and system, with children), times the program alone\n",
    table(field, results, "cpu", "s"),
    "\n## Wall time, times the program alone\n",
    table(field, results, "wall", "s"),
    "\n## Peak memory of the largest process, MiB more than the program alone\n",
    table(field, results, "memory", "MiB"),
    "",
    ...(missing.length ? [missing.map((line) => `- ${line}`).join("\n"), ""] : []),
    targets(results, memory),
  ].join("\n");
}
