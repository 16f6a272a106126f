// Real programs, where the machine has them: the same output and exit code with memhook as without, a store that
// can be read, nothing dropped, and totals that fit what the program does.
// Runs under Node alone: what it tests is the library, in C.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { readReport } from "../support/expectations.js";
import { runProgram, which } from "../support/programs.js";
import { temporaryFolder } from "../support/run.js";

const folder = temporaryFolder();

interface Case {
  /** Path of the program, undefined when the machine does not have it. */
  program: string | undefined;
  args: string[];
  input?: string;
  env?: Record<string, string>;
  /** Runs before each of the two runs, in the folder they run in. */
  prepare?: (cwd: string) => void;
  /** Least and most bytes live at the end, and least allocated in all. */
  live: [number, number];
  allocated: number;
  /** A file that the program writes, which must come out the same. */
  writes?: string;
}

// A list of strings is built, most of it dropped, and a known part kept to the end.
const PYTHON = `
import sys
kept = []
for round in range(5):
    data = [bytes([i % 256]) * 1000 for i in range(3000)]
    kept.append(data[:100])
    del data
print(sum(len(b) for part in kept for b in part))
sys.stdout.flush()
sys.exit(3)
`;

const SQL = `
create table t (a integer primary key, b text);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)
  insert into t select i, printf('row %d of many', i) from n;
create index t_b on t (b);
select count(*), sum(length(b)) from t;
select b from t where b like '%999 of%' order by b desc limit 3;
delete from t where a % 2;
vacuum;
select max(a) from t;
`;

const C_SOURCE = `
#include <stdio.h>
struct tree { struct tree *left, *right; int key; };
static int depth(const struct tree *t) {
  return t ? 1 + (depth(t->left) > depth(t->right) ? depth(t->left) : depth(t->right)) : 0;
}
int main(void) { printf("%d\\n", depth(0)); return 0; }
`;

const NODE = `
const data = Array.from({ length: 20000 }, (_, i) => ({ i, text: "x".repeat(i % 50) }));
console.log(JSON.stringify(data).length, Buffer.alloc(5_000_000, 1).length);
process.exit(4);
`;

const PERL = `
my %h; $h{$_} = "value $_" for 1..20000; delete $h{$_} for 1..10000;
print scalar(keys %h), "\\n"; exit 5;
`;

const BASH = `
declare -A a; for i in {1..3000}; do a[$i]="value $i"; done; x=$(echo sub shell); echo "\${#a[@]} $x"
(exit 2); echo $? | cat; exit 6
`;

// Threads, a child process and a C library, in one go.
const PYTHON_MORE = `
import ctypes, json, subprocess, sys, threading
results = []
def work(n):
    results.append(len(json.dumps([{str(i): "x" * (i % 40)} for i in range(n)])))
threads = [threading.Thread(target=work, args=(2000 + i,)) for i in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(sorted(results))
print(subprocess.run([sys.executable, "-c", "print('child')"], capture_output=True, text=True).stdout)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
kept = [libc.malloc(1234) for _ in range(10)]
print(all(kept))
`;

const JAVA = `
import java.util.*;
public class In {
  public static void main(String[] a) throws Exception {
    Map<Integer, byte[]> m = new HashMap<>();
    for (int i = 0; i < 20000; i++) m.put(i, new byte[i % 500]);
    Thread[] ts = new Thread[8];
    for (int i = 0; i < 8; i++) {
      ts[i] = new Thread(() -> { List<String> l = new ArrayList<>(); for (int k = 0; k < 10000; k++) l.add("n" + k); });
      ts[i].start();
    }
    for (Thread t : ts) t.join();
    System.out.println(m.values().stream().mapToInt(b -> b.length).sum());
    System.exit(7);
  }
}
`;

const RUST = `
use std::collections::HashMap;
fn main() {
    let mut m: HashMap<u32, String> = HashMap::new();
    for i in 0..20000 { m.insert(i, format!("value {}", i)); }
    let t: Vec<_> = (0..4)
        .map(|n| std::thread::spawn(move || (0..n * 1000).map(|x| x as u64).collect::<Vec<_>>().len()))
        .collect();
    let n: usize = t.into_iter().map(|h| h.join().unwrap()).sum();
    std::mem::forget(m.clone());
    println!("{} {}", m.len(), n);
    std::process::exit(8);
}
`;

const git =
  "init -q . && git add . && git -c user.name=a -c user.email=a@b commit -q -m first && git log --format=%s && " +
  "git gc -q && git fsck && git status --short";

const CASES: Record<string, Case> = {
  "python3, through its own small-object allocator": {
    program: which("python3"),
    args: ["-c", PYTHON],
    live: [500_000, 100_000_000],
    allocated: 15_000_000,
  },
  "python3 with PYTHONMALLOC=malloc": {
    program: which("python3"),
    args: ["-c", PYTHON],
    env: { PYTHONMALLOC: "malloc" },
    live: [0, 100_000_000],
    allocated: 15_000_000,
  },
  sqlite3: { program: which("sqlite3"), args: [":memory:"], input: SQL, live: [0, 10_000_000], allocated: 1_000_000 },
  git: {
    program: which("git") ? which("sh") : undefined,
    args: ["-c", `git ${git}`],
    prepare: (cwd) => {
      for (let i = 0; i < 50; i++) writeFileSync(join(cwd, `file-${i}`), `contents ${i}\n`.repeat(100));
    },
    live: [0, 10_000_000],
    allocated: 100,
  },
  "gcc compiling a file": {
    program: which("gcc"),
    args: ["-O2", "-c", "in.c", "-o", "out.o"],
    prepare: (cwd) => writeFileSync(join(cwd, "in.c"), C_SOURCE),
    writes: "out.o",
    live: [0, 50_000_000],
    allocated: 10_000,
  },
  node: { program: which("node"), args: ["-e", NODE], live: [0, 1_000_000_000_000], allocated: 5_000_000 },
  perl: { program: which("perl"), args: ["-e", PERL], live: [0, 50_000_000], allocated: 1_000_000 },
  bash: { program: which("bash"), args: ["-c", BASH], live: [1000, 50_000_000], allocated: 100_000 },
  "python3 with threads, a child and ctypes": {
    program: which("python3"),
    args: ["-c", PYTHON_MORE],
    live: [12_340, 100_000_000],
    allocated: 1_000_000,
  },
  "javac and java": {
    program: which("javac") && which("sh"),
    args: ["-c", "javac In.java && exec java -Xmx256m In"],
    prepare: (cwd) => writeFileSync(join(cwd, "In.java"), JAVA),
    live: [0, 1_000_000_000_000],
    allocated: 1_000_000,
  },
  "rustc and what it made": {
    program: which("rustc") && which("sh"),
    args: ["-c", "rustc -O in.rs && exec ./in"],
    prepare: (cwd) => writeFileSync(join(cwd, "in.rs"), RUST),
    live: [400_000, 10_000_000],
    allocated: 1_000_000,
  },
  tclsh: {
    program: which("tclsh"),
    args: [],
    input: 'for {set i 0} {$i < 20000} {incr i} {set a($i) "value $i"}\nputs [array size a]\nexit 9\n',
    live: [0, 50_000_000],
    allocated: 1_000_000,
  },
  "tar and xz": {
    program: which("tar") && which("xz") && which("sh"),
    args: [
      "-c",
      "tar --sort=name --mtime=@0 --owner=0 --group=0 -cf - data | xz -T2 -6 > out.xz; xz -dc out.xz | tar tf - " +
        "| tail -n 1",
    ],
    prepare: (cwd) => {
      mkdirSync(join(cwd, "data"));
      for (let i = 0; i < 100; i++) writeFileSync(join(cwd, "data", `${i}`), `line ${i}\n`.repeat(3000));
    },
    writes: "out.xz",
    live: [0, 10_000_000],
    allocated: 0,
  },
  "java's version": { program: which("java"), args: ["-version"], live: [0, 1_000_000_000_000], allocated: 100_000 },
};

for (const [name, { program, args, input, env, prepare, live, allocated, writes }] of Object.entries(CASES)) {
  test(`${name}: the same output and exit code under memhook, and a plausible store`, {
    skip: program ? false : "not on this machine",
  }, async () => {
    const place = join(folder, name.replace(/\W+/g, "-"));
    mkdirSync(place);
    const outcomes = [];
    const store = join(place, "store.mem");
    for (const hooked of [false, true]) {
      const cwd = join(place, hooked ? "hooked" : "bare");
      mkdirSync(cwd);
      prepare?.(cwd);
      const { pid, ...outcome } = await runProgram(program!, args, {
        cwd,
        input: input ?? "",
        env: { GIT_CONFIG_GLOBAL: "/dev/null", ...env },
        store: hooked ? store : undefined,
      });
      outcomes.push({ ...outcome, written: writes ? readFileSync(join(cwd, writes), "hex") : "" });
    }
    assert.deepEqual(outcomes[1], outcomes[0]);
    const { totals, matched, process } = await readReport(store, { aggregate: true, sort: "size" });
    assert.equal(process.state, "exited");
    assert.equal(totals.dropped, 0);
    assert.equal(totals.liveCount, matched.count);
    assert.equal(totals.liveBytes, matched.bytes);
    assert.ok(totals.liveBytes >= live[0] && totals.liveBytes <= live[1], `${totals.liveBytes} bytes live`);
    assert.ok(totals.allocatedBytes >= allocated, `${totals.allocatedBytes} bytes allocated`);
    assert.ok(totals.peakBytes >= totals.liveBytes && totals.peakBytes <= totals.allocatedBytes);
  });
}
