// What does a program hold now, and what more than before? Run with two stores: node example.mjs BEFORE NOW
import { basename } from "node:path";
import process from "node:process";
import { diff, openStore, snapshot } from "memhook";

const [before, now] = [await openStore(process.argv[2]), await openStore(process.argv[3])];

const { process: program, totals, stacks } = await now.stacks({ sort: "size", top: 10, minSize: 100 });
console.log(`${basename(program.exe)} ${program.state}, ${totals.liveBytes} bytes live`);
for (const { bytes, count, stack } of stacks) {
  const [place] = stack; // innermost first
  console.log(`${bytes} bytes in ${count} blocks: ${place.function} at ${basename(place.file)}:${place.line}`);
}

for (const { status, row, base, head } of diff(await snapshot(before), await snapshot(now)).changes) {
  if (status === "new" || status === "grown") {
    console.log(`${status}: ${head.bytes - base.bytes} bytes more in ${row.stack[0].function}`);
  }
}
for (const store of [before, now]) store.close();
