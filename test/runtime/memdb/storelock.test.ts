// memdb's lock in every order in which the system calls of several memdbs can come: at most one of those that live
// holds it, and where nobody did, one gets it.

import assert from "node:assert/strict";
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { acquire, type Held, release, StoreLock } from "../../../runtime/memdb/storelock.js";
import { type Identity, ownIdentity } from "../../../runtime/stores/liveness.js";
import { temporaryFolder } from "../../support/run.js";

const folder = temporaryFolder();
const path = join(folder, "app.mem");
const lock = `${path}.lock`;
const self = ownIdentity();
const bootId = Buffer.from(self.bootId).toString("hex");
const DEAD = 99;

/** One memdb: each call of `step` is one system call or a few that cannot be told apart; false at its end. */
class Actor {
  held: Held | undefined;
  refused = false;
  readonly #steps: Generator<void, Held>;

  constructor(
    readonly pid: number,
    dead: ReadonlySet<number>,
  ) {
    const lives = (process: Identity) => !dead.has(process.pid);
    this.#steps = acquire(path, { ...self, pid }, lives);
  }

  step(): boolean {
    try {
      const { done, value } = this.#steps.next();
      if (done) this.held = value;
      return !done;
    } catch (error) {
      assert.match((error as Error).message, /keeps its stores there/);
      this.refused = true;
      return false;
    }
  }

  finish(): this {
    while (this.step());
    return this;
  }
}

/** Calls `run` once for each order; it asks `choose` which of so many goes on. Gives how many orders there are. */
function everyOrder(run: (choose: (of: number) => number) => void): number {
  let choices: { taken: number; of: number }[] = [];
  for (let orders = 1; ; orders++) {
    let at = 0;
    run((of) => {
      choices[at] ??= { taken: 0, of };
      return choices[at++]!.taken;
    });
    while (choices.length > 0 && choices.at(-1)!.taken + 1 === choices.at(-1)!.of) choices = choices.slice(0, -1);
    if (choices.length === 0) return orders;
    choices.at(-1)!.taken++;
  }
}

/** Lets them go on in the order that `choose` says; `after` is called behind each step. */
function together(actors: { step(): boolean }[], choose: (of: number) => number, after = () => {}): void {
  const going = [...actors];
  while (going.length > 0) {
    const i = going.length === 1 ? 0 : choose(going.length);
    if (!going[i]!.step()) going.splice(i, 1);
    after();
  }
}

const line = (pid: number, nonce = "") => `${pid} 12345 ${self.namespace} ${bootId}${nonce}\n`;
const before: Record<string, string | undefined> = {
  "no lock": undefined,
  "a killed memdb's": line(DEAD, ` ${"0".repeat(32)}`),
  "one of an older version, and one that gave up": `${line(DEAD)}${line(5, ` ${"a".repeat(32)}`)}- ${"a".repeat(32)}\n`,
};

for (const [what, text] of Object.entries(before)) {
  test(`${what}: of two memdbs one gets it, in every order`, () => {
    const orders = everyOrder((choose) => {
      rmSync(lock, { force: true });
      if (text !== undefined) writeFileSync(lock, text, { mode: 0o600 });
      const two = [1, 2].map((pid) => new Actor(pid, new Set([DEAD])));
      together(two, choose);
      assert.deepEqual(two.map(({ held, refused }) => [!!held, refused]).sort(), [
        [false, true],
        [true, false],
      ]);
      // The holder's line alone is left, so that the queue does not grow.
      const holder = two.find(({ held }) => held)!;
      assert.match(readFileSync(lock, "latin1"), new RegExp(`^${holder.pid} .*\n(\\d+ .*\n- .*\n)*$`));
      release(holder.held!);
      assert.deepEqual(readdirSync(folder), []);
    });
    assert.ok(orders > 100, `${orders} orders`);
  });
}

test("a holder that gives it back while others want it: never two hold it", () => {
  everyOrder((choose) => {
    const first = new Actor(3, new Set()).finish();
    const [second, third] = [new Actor(1, new Set()), new Actor(2, new Set())];
    const ending = {
      step: () => {
        release(first.held!);
        first.held = undefined;
        return false;
      },
    };
    const quick = { step: () => !third.finish() };
    together([second, ending, quick], choose, () => {
      assert.ok([first, second, third].filter(({ held }) => held).length <= 1);
    });
    for (const { held } of [second, third]) if (held) release(held);
    assert.ok(new Actor(4, new Set()).finish().held, "nobody is left in the way");
    rmSync(lock);
  });
});

test("one that is killed at any moment is in nobody's way", () => {
  everyOrder((choose) => {
    const dead = new Set<number>();
    const [victim, other] = [new Actor(1, dead), new Actor(2, dead)];
    let left = 2 * choose(4);
    const mortal = {
      step: () => {
        if (left-- > 0 && victim.step()) return true;
        dead.add(1);
        return false;
      },
    };
    together([mortal, other], choose, () => {
      assert.ok(!(victim.held && !dead.has(1) && other.held));
    });
    if (!other.held) assert.ok(new Actor(2, dead).finish().held);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
  });
});

test("an empty lock, as a full disk may leave one, is a lock", () => {
  writeFileSync(lock, "", { mode: 0o600 });
  new StoreLock(path).release();
});

test("within one process, too, a second lock is refused until the first is given back", () => {
  const first = new StoreLock(path);
  assert.throws(() => new StoreLock(path), /another memdb \(pid \d+\) keeps its stores there/);
  first.release();
  new StoreLock(path).release();
  assert.deepEqual(readdirSync(folder), []);
});

test("what is no memdb's own lock is neither taken nor touched", () => {
  const cases: [string, () => void][] = [
    ["a text", () => writeFileSync(lock, "something else\n", { mode: 0o600 })],
    ["half a line", () => writeFileSync(lock, line(DEAD).slice(0, 20), { mode: 0o600 })],
    ["a folder", () => mkdirSync(lock)],
    ["a link", () => symlinkSync(join(folder, "target"), lock)],
    [
      "a second name",
      () => {
        writeFileSync(join(folder, "target"), line(DEAD), { mode: 0o600 });
        linkSync(join(folder, "target"), lock);
      },
    ],
    ["a file for everybody", () => writeFileSync(lock, line(DEAD), { mode: 0o666 })],
  ];
  const umask = process.umask(0);
  try {
    for (const [what, make] of cases) {
      make();
      const names = readdirSync(folder);
      assert.throws(() => new StoreLock(path), /something that is no memdb's; remove it/, what);
      assert.deepEqual(readdirSync(folder), names, what);
      for (const name of names) rmSync(join(folder, name), { recursive: true });
    }
  } finally {
    process.umask(umask);
  }
});
