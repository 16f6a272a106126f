// Debug files from debuginfod servers (https://sourceware.org/elfutils/Debuginfod.html), asked by build id.
//
//   DEBUGINFOD_URLS        servers, separated by spaces; without it nothing is asked and this module does nothing.
//                          As for elfutils' client, file:///folder is one too: its files are /folder/buildid/BUILDID/debuginfo
//   DEBUGINFOD_TIMEOUT     seconds that one file may take, 30 unless said otherwise
//   DEBUGINFOD_CACHE_PATH  the cache folder; else $XDG_CACHE_HOME/debuginfod_client or ~/.cache/debuginfod_client
//
// The cache is the one of elfutils' client, so a file that gdb fetched is there for us and the other way round:
// FOLDER/BUILDID/debuginfo, an empty file if no server had it within the last ten minutes.

import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const DEFAULT_SECONDS = 30;
const MISS_MILLISECONDS = 600_000;

function placeIn(url: string, buildId: string): string {
  return `${url.replace(/\/+$/, "")}/buildid/${buildId}/debuginfo`;
}

export class Debuginfod {
  /** What went wrong, one line for a server. */
  readonly problems = new Set<string>();
  readonly #servers: string[];
  /** The servers that are folders. */
  readonly #folders: string[];
  readonly #seconds: number;
  readonly #cache: string;

  constructor(environment: NodeJS.ProcessEnv = process.env) {
    const urls = (environment.DEBUGINFOD_URLS ?? "").split(/\s+/).filter((url) => url !== "");
    this.#folders = urls.filter((url) => url.startsWith("file:"));
    this.#servers = urls.filter((url) => !url.startsWith("file:"));
    const seconds = Number(environment.DEBUGINFOD_TIMEOUT);
    this.#seconds = seconds > 0 ? seconds : DEFAULT_SECONDS;
    this.#cache =
      environment.DEBUGINFOD_CACHE_PATH ||
      join(environment.XDG_CACHE_HOME || join(homedir(), ".cache"), "debuginfod_client");
  }

  /** Path of the debug file of a build, null if no server has it. Never throws: see `problems`. */
  async find(buildId: string): Promise<string | null> {
    if (!/^([0-9a-f]{2}){2,64}$/.test(buildId)) return null;
    const local = this.#findLocal(buildId);
    if (local !== undefined) return local;
    // A server that failed is not asked again: each module would wait for it anew.
    if (this.#servers.length === 0) return null;
    const path = join(this.#cache, buildId, "debuginfo");
    const cached = statSync(path, { throwIfNoEntry: false });
    if (cached !== undefined && cached.size > 0) return path;
    if (cached !== undefined && Date.now() - cached.mtimeMs < MISS_MILLISECONDS) return null;
    for (const server of [...this.#servers]) {
      try {
        if (await this.#fetch(server, buildId, path)) return path;
      } catch (error) {
        this.problems.add(`debuginfod ${server}: ${this.#reason(error)}`);
        this.#servers.splice(this.#servers.indexOf(server), 1);
      }
    }
    if (this.problems.size === 0) this.#rememberMiss(path);
    return null;
  }

  /** Forgets a file that was not what its name says, if it is one of the cache. */
  reject(path: string): void {
    this.problems.add(`debuginfod: the file for ${path.split("/").at(-2)} is of another build`);
    if (path.startsWith(`${this.#cache}/`)) rmSync(path, { force: true });
  }

  /** The file in one of the folders, which need no cache. */
  #findLocal(buildId: string): string | undefined {
    for (const url of this.#folders) {
      try {
        const path = fileURLToPath(placeIn(url, buildId));
        if (existsSync(path)) return path;
      } catch (error) {
        this.problems.add(`debuginfod ${url}: ${this.#reason(error)}`);
      }
    }
    return undefined;
  }

  async #fetch(server: string, buildId: string, path: string): Promise<boolean> {
    const response = await fetch(placeIn(server, buildId), { signal: AbortSignal.timeout(this.#seconds * 1000) });
    if (response.status === 404) {
      await response.body?.cancel();
      return false;
    }
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      throw new Error(`it answered ${response.status}`);
    }
    mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
    // Others see the file when it is whole, or not at all.
    const part = `${path}.${process.pid}`;
    const file = openSync(part, "w", 0o400);
    try {
      try {
        for await (const piece of response.body) {
          for (let done = 0; done < piece.length; ) done += writeSync(file, piece, done);
        }
      } finally {
        closeSync(file);
      }
      renameSync(part, path);
    } catch (error) {
      rmSync(part, { force: true });
      throw error;
    }
    return true;
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
    if (error.name === "TimeoutError" || error.name === "AbortError") return `no answer within ${this.#seconds} s`;
    // fetch says "fetch failed" and why in its cause.
    return error.cause instanceof Error ? error.cause.message || error.message : error.message;
  }
}
