// Debug files from debuginfod servers (https://sourceware.org/elfutils/Debuginfod.html), asked by build id.
//
//   DEBUGINFOD_URLS        servers, separated by spaces; without it nothing is asked and this module does nothing.
//                          As for elfutils' client, file:///folder is one too: its files are
//                          /folder/buildid/BUILDID/debuginfo; and words like ima:enforcing between
//                          them are policies for signatures, which are not checked here
//   DEBUGINFOD_TIMEOUT     seconds that one file may take, 30 unless said otherwise; 0: as long as it takes
//   DEBUGINFOD_CACHE_PATH  the cache folder; else $XDG_CACHE_HOME/debuginfod_client or ~/.cache/debuginfod_client
//
// The cache is that of elfutils' client, so a file that gdb fetched is found here, and the other way round:
// FOLDER/BUILDID/debuginfo, an empty file if no server had it within the last ten minutes.
//
// A server may answer with a login page, half a file or another build. So the caller checks a file before it is
// accepted, and if it is wrong the next server is asked.

import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { wallMilliseconds } from "../host/clock.js";

const DEFAULT_SECONDS = 30;
const MISS_MILLISECONDS = 600_000;
/** Timers of more are none. */
const MOST_MILLISECONDS = 2 ** 31 - 1;

function placeIn(url: string, buildId: string): string {
  return `${url.replace(/\/+$/, "")}/buildid/${buildId}/debuginfo`;
}

/** Opens a file that may be the one; or says what it is instead, as "is of another build". */
export type Check<File> = (path: string) => File | { wrong: string };

export class Debuginfod {
  /** What went wrong, one line for a server. */
  readonly problems = new Set<string>();
  readonly #servers: string[];
  /** The servers that are folders. */
  readonly #folders: string[];
  readonly #milliseconds: number;
  readonly #cache: string;

  constructor(environment: NodeJS.ProcessEnv = process.env) {
    const urls = (environment.DEBUGINFOD_URLS ?? "")
      .split(/\s+/)
      .filter((url) => url !== "" && !url.startsWith("ima:"));
    this.#folders = urls.filter((url) => url.startsWith("file:"));
    this.#servers = urls.filter((url) => !url.startsWith("file:"));
    const seconds = Number.parseFloat(environment.DEBUGINFOD_TIMEOUT ?? "");
    const limit = seconds === 0 ? MOST_MILLISECONDS : 1000 * (seconds > 0 ? seconds : DEFAULT_SECONDS);
    this.#milliseconds = Math.ceil(Math.min(limit, MOST_MILLISECONDS));
    this.#cache =
      environment.DEBUGINFOD_CACHE_PATH ||
      join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "debuginfod_client");
  }

  /** The debug file of a build, null if no server has it. Never throws: see `problems`. */
  async find<File extends { close(): void }>(buildId: string, check: Check<File>): Promise<File | null> {
    if (!/^([0-9a-f]{2}){2,64}$/.test(buildId)) return null;
    for (const path of this.#localPaths(buildId)) {
      const file = this.#checked(path, buildId, check);
      if (file !== null) return file;
    }
    if (this.#servers.length === 0) return null;
    const path = join(this.#cache, buildId, "debuginfo");
    const cached = statSync(path, { throwIfNoEntry: false });
    if (cached !== undefined && cached.size > 0) {
      const file = this.#checked(path, buildId, check);
      if (file !== null) return file;
      rmSync(path, { force: true });
    } else if (cached !== undefined && isRecent(cached.mtimeMs)) return null;
    let missed = true;
    for (const server of [...this.#servers]) {
      try {
        const part = await this.#fetch(server, buildId, path);
        if (part === null) continue;
        missed = false;
        const file = this.#kept(part, path, buildId, check);
        if (file !== null) return file;
      } catch (error) {
        missed = false;
        this.problems.add(`debuginfod ${server}: ${this.#reason(error)}`);
        // A server that failed is not asked again: each module would wait for it anew.
        this.#servers.splice(this.#servers.indexOf(server), 1);
      }
    }
    if (missed) this.#rememberMiss(path);
    return null;
  }

  /** Where the file would be in the folders, which need no cache. */
  *#localPaths(buildId: string): Generator<string> {
    for (const url of this.#folders) {
      try {
        const path = fileURLToPath(placeIn(url, buildId));
        if (existsSync(path)) yield path;
      } catch (error) {
        this.problems.add(`debuginfod ${url}: ${this.#reason(error)}`);
      }
    }
  }

  #checked<File>(path: string, buildId: string, check: Check<File>): File | null {
    const file = check(path);
    if (typeof file !== "object" || file === null || !("wrong" in file)) return file as File;
    this.problems.add(`debuginfod: the file for ${buildId} ${file.wrong}`);
    return null;
  }

  /** Puts a fetched file into the cache if it is the one. Others see it when it is whole, or not at all. */
  #kept<File extends { close(): void }>(part: string, path: string, buildId: string, check: Check<File>): File | null {
    try {
      const file = this.#checked(part, buildId, check);
      if (file === null) return null;
      file.close();
      renameSync(part, path);
    } finally {
      rmSync(part, { force: true });
    }
    return this.#checked(path, buildId, check);
  }

  /** @returns where it was written to; null when the server does not have it. */
  async #fetch(server: string, buildId: string, path: string): Promise<string | null> {
    const response = await fetch(placeIn(server, buildId), { signal: AbortSignal.timeout(this.#milliseconds) });
    if (response.status === 404) {
      await response.body?.cancel();
      return null;
    }
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new Error(`it answered ${response.status}`);
    }
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
    const part = `${path}.${process.pid}`;
    rmSync(part, { force: true });
    const file = openSync(part, "wx", 0o400);
    try {
      for await (const piece of response.body) {
        for (let done = 0; done < piece.length; ) done += writeSync(file, piece, done);
      }
    } catch (error) {
      rmSync(part, { force: true });
      throw error;
    } finally {
      closeSync(file);
    }
    return part;
  }

  #rememberMiss(path: string): void {
    try {
      mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
      rmSync(path, { force: true });
      closeSync(openSync(path, "w", 0o000));
    } catch {
      // Without a cache the next run asks again.
    }
  }

  #reason(error: unknown): string {
    if (!(error instanceof Error)) return String(error);
    if (error.name === "TimeoutError" || error.name === "AbortError")
      return `no answer within ${this.#milliseconds / 1000} s`;
    // fetch says "fetch failed" and why in its cause.
    return error.cause instanceof Error ? error.cause.message || error.message : error.message;
  }
}

/** Not if it is in the future, either: the clock was put back, and who knows when that was. */
function isRecent(missed: number): boolean {
  const age = wallMilliseconds() - missed;
  return age >= 0 && age < MISS_MILLISECONDS;
}
