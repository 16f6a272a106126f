// memhook run with MEMHOOK_NET_HOST set: the program sends to memdb, which is asked what it holds.

import process from "node:process";
import { launch, shellCode, wordsFor } from "../runtime/programs/launch.js";
import { memdbHost } from "../runtime/programs/memdbhost.js";
import { preloadOnce } from "../runtime/programs/preload.js";
import type { Signals } from "../runtime/programs/signals.js";
import { messages } from "./messages.js";

/** MEMHOOK_NET_HOST, if it is set and not empty. */
export function hostOfEnvironment(): string | null {
  return process.env.MEMHOOK_NET_HOST || null;
}

/** Runs a program that sends to memdb at `host`. @returns its exit code. @throws LaunchError when it cannot be run. */
export async function runForMemdb(
  command: readonly string[],
  library: string,
  host: string,
  signals: Signals,
): Promise<number> {
  const memdb = await memdbHost(host);
  const preload = preloadOnce(library);
  try {
    const ending = await launch(command, preload.path, { memdb }, signals);
    const log = messages("memhook");
    log.info(`${command[0]} (pid ${ending.pid}) ${wordsFor(ending)}; its records are at memdb ${placeOf(host)}`);
    log.info(
      "there: memview -acs STORE, the one that memdb logged for it; here MEMHOOK_LOG=stderr tells what was sent",
    );
    return shellCode(ending);
  } finally {
    preload.remove();
  }
}

function placeOf(host: string): string {
  return host.startsWith("unix:") ? host : `${host} port ${process.env.MEMHOOK_NET_PORT || 20015}`;
}
