// What bench/viewer.ts times in each runtime: groups a store by call stack, as memview -as --top 50 does.
//
//   node dist/bench/viewer/group.js STORE    prints as native.c; to stderr milliseconds and the largest resident KiB

import { readFileSync } from "node:fs";
import { openStore } from "../../runtime/store.js";

const start = performance.now();
const store = await openStore(process.argv[2]!);
const { stacks } = await store.query({ aggregate: true, sort: "size", top: 50 });
const lines = stacks.map((row) => `${row.stackId} ${row.count} ${row.bytes} ${row.oldest} ${row.newest}\n`);
const milliseconds = performance.now() - start;
process.stdout.write(lines.join(""));
const resident = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "latin1"))?.[1];
process.stderr.write(`${milliseconds.toFixed(1)} ${resident}\n`);
store.close();
