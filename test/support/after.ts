// Runs when all tests of a file are done, like node:test's `after` at top level. Deno calls node:test's only if no test
// is skipped; folders, mounts and programs would otherwise stay behind.

import { after as nodeAfter } from "node:test";

type Hook = () => void | Promise<void>;

const { Deno } = globalThis as { Deno?: { test: { afterAll(hook: Hook): void } } };

export const after: (hook: Hook) => void = Deno ? (hook) => Deno.test.afterAll(hook) : nodeAfter;
