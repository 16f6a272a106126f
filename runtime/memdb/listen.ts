// Where memdb listens: over TCP, beyond loopback only on request, and on a Unix socket of this user. Every function
// returns what it listens on, in words, or throws an Error with one line for the user.

import { lookup } from "node:dns/promises";
import { lstatSync, unlinkSync } from "node:fs";
import { type AddressInfo, connect, isIP, type Server } from "node:net";
import { dirname } from "node:path";

/** Options for these servers: sockets are paused until they are received from, and dead peers are noticed. */
export const SOCKET_OPTIONS = { keepAlive: true, keepAliveInitialDelay: 60_000, noDelay: true, pauseOnConnect: true };

/** What fits into the kernel's sun_path, with the zero at its end. */
const UNIX_PATH_MAX = 107;

/** `guarded`: strangers are kept out by a token, or the user wants them. */
export async function listenTcp(
  server: Server,
  { host, port }: { host: string; port: number },
  guarded: boolean,
): Promise<string> {
  const address = isIP(host) ? host : await resolve(host);
  if (!isLoopback(address) && !guarded) {
    throw new Error(
      `${host} can be reached by others: give --token-file FILE so that only holders of the token can connect, ` +
        "or --insecure",
    );
  }
  await listening(server, { host: address, port }, `${host} port ${port}`);
  const bound = server.address() as AddressInfo;
  return `${bound.address}:${bound.port}`;
}

async function resolve(host: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch {
    throw new Error(`--host: no address is known for ${host}; give an address of this machine`);
  }
}

function isLoopback(address: string): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(address);
}

export async function listenUnix(server: Server, path: string): Promise<string> {
  // Node would cut the path and listen elsewhere.
  if (Buffer.byteLength(path) > UNIX_PATH_MAX) {
    throw new Error(
      `--unix: ${path} is longer than a socket's path can be, ${UNIX_PATH_MAX} bytes; give a shorter one`,
    );
  }
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there && !there.isSocket()) throw new Error(`${path}: there is something that is no socket; name another path`);
  if (!lstatSync(`${dirname(path)}/.`, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Error(`${path}: there is no folder ${dirname(path)}; create it`);
  }
  if (there) {
    if (there.uid !== process.geteuid!()) throw new Error(`${path}: there is another user's socket; name another path`);
    if (await answers(path)) throw new Error(`${path}: somebody listens there already`);
    unlinkSync(path);
  }
  // The socket appears with these permissions; chmod afterwards would leave a moment in which anybody can connect. All
  // runtimes make it before listen() returns.
  const before = process.umask(0o177);
  let bound: Promise<void>;
  try {
    bound = listening(server, { path }, path);
  } finally {
    process.umask(before);
  }
  await bound;
  if ((lstatSync(path).mode & 0o077) === 0) return `unix:${path}`;
  server.close();
  throw new Error(`${path}: others can connect to a socket there; name a path on another file system`);
}

const REASONS: Record<string, string> = {
  EADDRINUSE: "somebody listens there already",
  EADDRNOTAVAIL: "this machine does not have that address",
  EACCES: "that is not allowed for this user",
};

function listening(
  server: Server,
  where: { host: string; port: number } | { path: string },
  name: string,
): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: Error & { code?: string }) => {
      const what = REASONS[error.code ?? ""] ?? error.message;
      reject(new Error(`cannot listen on ${name}: ${what}`));
    });
    server.listen(where, resolve);
  });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Only this says that there is nobody; one that is busy is somebody.
    socket.once("error", (error: Error & { code?: string }) => resolve(error.code !== "ECONNREFUSED"));
  });
}
