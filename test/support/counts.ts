// How often the long loops of the hazard suites run: a little in the ordinary test run, and often enough to be sure
// with MEMHOOK_TEST_FULL=1 (tools/hazards.sh --full).

import process from "node:process";

export function rounds(ordinary: number, full: number): string {
  return String(process.env.MEMHOOK_TEST_FULL === "1" ? full : ordinary);
}

/** How long a program may take, in milliseconds. */
export const patience = process.env.MEMHOOK_TEST_FULL === "1" ? 7_200_000 : 60_000;
