// memview verdict: as text, at each width and in a pipe, and as JSON.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import * as L from "../../asm/layout.js";
import { styleFor } from "../../cli/reports/style.js";
import { shownFindings, sparkline, verdictText } from "../../cli/reports/verdict.js";
import { briefVerdict } from "../../cli/verdicts.js";
import { verdictOn } from "../../runtime/reports/verdict.js";
import { openStore } from "../../runtime/stores/store.js";
import { symbolizerOf } from "../../runtime/symbols/names.js";
import { run, temporaryFolder } from "../support/run.js";
import { StoreBuilder } from "../support/store-builder.js";
import type { HeaderFields } from "../support/store-fields.js";

const folder = temporaryFolder();
const path = join(folder, "app.mem");
const MINUTE = 60_000_000_000n;

/** Two minutes of a program with a leak, a cache, a working set and what a library holds. */
function build(target: string, header: Partial<HeaderFields> = {}): void {
  const store = new StoreBuilder({
    exe: "/srv/app",
    endTime: 2n * MINUTE,
    endKind: L.END_EXIT,
    endStatus: 3,
    peakBytes: 9n << 20n,
    peakTime: MINUTE + 8_000_000_000n,
    ...header,
  });
  const app = store.module("/srv/app");
  const lib = store.module("/usr/lib/libz.so.1");
  const main = store.frame(app, 0x30n);
  const frame = (offset: bigint, module = app) => store.frame(module, offset);
  let address = 16n;
  const fill = (stack: number, count: number, size: number, from: bigint, to: bigint) => {
    for (let i = 0n; i < count; i++, address += 16n)
      store.record({ address, size, time: from + ((to - from) * i) / BigInt(count), stack });
  };
  const inflate = frame(0x100n, lib);
  fill(store.stack([inflate, frame(0x10n), main]), 4000, 1000, 0n, 2n * MINUTE);
  fill(store.stack([frame(0x20n), main]), 200, 4096, 0n, MINUTE / 4n);
  fill(
    store.stack([frame(0x28n), frame(0x40n), main], { allocations: 90_000n, frees: 89_900n }),
    100,
    10,
    (19n * MINUTE) / 10n,
    2n * MINUTE,
  );
  fill(store.stack([inflate, frame(0x200n, lib)]), 1, 500_000, MINUTE, MINUTE + 1n);
  store.write(target);
}
build(path);

for (const width of [200, 120, 80, 40])
  test(`what opens and closes other reports is at most six lines, ${width} columns`, async () => {
    const store = await openStore(path);
    const style = { ...styleFor(true, { NO_COLOR: "1" }, { bytes: false, wide: false }, { columns: width }) };
    const lines = await briefVerdict(store, symbolizerOf(store), style, {});
    store.close();
    assert.ok(lines.length <= 6 && lines.length > 2, lines.join(""));
    assert.ok(
      lines.every((line) => [...line].length <= width + 1),
      lines.join(""),
    );
    assert.match(lines[0]!, /^5\.1 MiB live in 4,301 blocks/);
    assert.match(lines[1]!, /grows steadily +3\.8 MiB/);
  });

const WIDE = `app (pid 4242) exited with code 3 after 2 min 0 s
5.1 MiB live in 4,301 blocks at its end; 2 places hold 91 %; 1 of them grows steadily.
3.9 MiB more was live at its peak, 52 s before the end.

  grows steadily     3.8 MiB  4,000 blocks  +1.9 MiB/min  ████████  app+0x10
  filled early     800.0 KiB    200 blocks                █▁▁▁▁▁▁▁  app+0x20
  recent only     1000 bytes    100 blocks                ▁▁▁▁▁▁▁█  app+0x28
  few blocks       488.3 KiB       1 block                ▁▁▁▁█▁▁▁  libz.so.1+0x100
  …  full stacks: -c
`;

test("memview verdict, in a pipe", () => {
  const { code, stdout, stderr } = run("memview", ["verdict", path]);
  assert.equal(stdout, WIDE);
  assert.equal(code, 0, stderr);
  assert.ok(!stdout.includes("\u001b"));
});

test("the places that matter most, and how much there is besides", () => {
  const { stdout } = run("memview", ["verdict", "--top=1", path]);
  assert.match(stdout, /app\+0x10\n {2}… {2}3 places more hold 1\.3 MiB: --all {8}full stacks: -c\n$/);
  const { stdout: all } = run("memview", ["verdict", "--all", "--top=1", path]);
  assert.equal(all, WIDE);
});

test("call stacks, folded and whole", () => {
  const { stdout } = run("memview", ["verdict", "-c", "--top=1", path]);
  assert.match(stdout, /app\+0x10\n {6}libz\.so\.1\+0x100\n {6}app\+0x10\n {6}app\+0x30\n {2}… {2}3 places more/);
  const { stdout: wide } = run("memview", ["verdict", "-c", "--wide", "--top=1", path]);
  assert.match(wide, /\n {4}\/usr\/lib\/libz\.so\.1\+0x100\n {4}\/srv\/app\+0x10\n {4}\/srv\/app\+0x30\n/);
});

test("frames that the user does not want, by option and variable", () => {
  const places = (...options: string[]) =>
    run("memview", ["verdict", ...options, path], { env: { MEMHOOK_SKIP_FRAMES: "/srv/app$" } }).stdout;
  assert.match(places(), /libz\.so\.1\+0x100/);
  assert.doesNotMatch(places(), /app\+0x10/);
  assert.match(places("--skip-frames=^nothing$"), /app\+0x10/);
  const { code, stderr } = run("memview", ["verdict", "--skip-frames=(", path]);
  assert.deepEqual([code, /^memview: --skip-frames: '\(' is not a regular expression/.test(stderr)], [2, true]);
  const wrong = run("memview", ["verdict", path], { env: { MEMHOOK_SKIP_FRAMES: "(" } });
  assert.match(wrong.stderr, /^memview: MEMHOOK_SKIP_FRAMES: '\(' is not a regular expression/);
});

test("memview verdict --format json", () => {
  const report = JSON.parse(run("memview", ["verdict", "--format=json", path]).stdout);
  assert.deepEqual(report.life, { seconds: 120, end: { kind: "exit", status: 3 } });
  assert.deepEqual(report.matched, { count: 4301, bytes: 5_320_200 });
  type Told = { kind: string; own: boolean; bytes: number; rate: number | null; stacks: number; stack: unknown[] };
  assert.deepEqual(
    report.findings.map(({ kind, own, bytes, rate, stacks, stack }: Told) => [
      kind,
      own,
      bytes,
      rate,
      stacks,
      stack.length,
    ]),
    [
      ["growing", true, 4_000_000, 2_000_000, 1, 3],
      ["filled", true, 819_200, null, 1, 2],
      ["recent", true, 1000, null, 1, 3],
      ["few", false, 500_000, null, 1, 2],
    ],
  );
  assert.deepEqual(report.findings[0].births.counts, new Array(16).fill(250));
  assert.equal(report.findings[0].place.offset, "0x10");
});

async function textAt(width: number, environment: Record<string, string> = { NO_COLOR: "1" }): Promise<string> {
  const store = await openStore(path);
  const judged = await verdictOn(store, symbolizerOf(store), {});
  await judged.detail(shownFindings(judged.verdict, 10));
  const style = styleFor(true, environment, { bytes: false, wide: false }, { columns: width });
  const text = [...verdictText(judged, { style, top: 10, stacks: false })].join("");
  store.close();
  return text;
}

test("the same on a terminal that is wide enough", async () => {
  assert.equal(await textAt(120), WIDE);
  assert.equal(await textAt(200), WIDE);
  const coloured = await textAt(120, {});
  assert.ok(coloured.includes("\u001b[1m  grows steadily "));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what colours are
  assert.equal(coloured.replace(/\x1b\[\d+m/g, ""), WIDE);
});

test("no line is longer than a narrow terminal is wide", async () => {
  for (const width of [40, 60, 80]) {
    const text = await textAt(width);
    for (const row of text.split("\n")) assert.ok(row.length <= width, `${row.length} columns in ${width}: ${row}`);
    for (const place of ["app+0x10", "app+0x20", "libz.so.1+0x100"])
      assert.ok(text.includes(place), `${width}: ${place}`);
  }
});

test("how a process ended, and that nothing is live", () => {
  const head = (header: Partial<HeaderFields>) => {
    const target = join(folder, "ended.mem");
    build(target, header);
    return run("memview", ["verdict", target]).stdout.split("\n")[0];
  };
  assert.match(head({ endKind: L.END_NONE })!, /^app \(pid 4242\) ended without a word after 2 min 0 s, killed/);
  assert.match(head({ endKind: L.END_EXEC })!, /^app \(pid 4242\) became another program \(exec\) after 2 min 0 s$/);
  const empty = join(folder, "empty.mem");
  new StoreBuilder({ exe: "/srv/app" }).write(empty);
  assert.equal(
    run("memview", ["verdict", empty]).stdout,
    "app (pid 4242) exited with code 0 after 1 min 0 s\nNothing is live at its end.\n",
  );
});

test("a sample says that it is one", () => {
  const target = join(folder, "sampled.mem");
  build(target, { sampleBytes: 4096n });
  const { stdout } = run("memview", ["verdict", target]);
  assert.match(stdout, /\nabout 1\d\.\d MiB live in /);
  assert.match(stdout, / {2}grows steadily +1\d\.\d MiB ±\d/);
  assert.match(stdout, /\nestimates from a sample of one in 4 KiB; in all about /);
});

test("births in eight columns", () => {
  assert.equal(sparkline(new Array<number>(16).fill(3)), "████████");
  assert.equal(sparkline([1, ...new Array<number>(14).fill(0), 1000]), "▂▁▁▁▁▁▁█");
  assert.equal(sparkline(new Array<number>(16).fill(0)), "▁▁▁▁▁▁▁▁");
});
