// memdb: collects what programs record, over TCP or a Unix socket, and keeps a store for each of them.

import { wallDate } from "../../runtime/host/clock.js";
import { printable } from "../../runtime/host/printable.js";
import { DEFAULTS, LEAST_SIZE, LIMITS, type LogEntry, serve } from "../../runtime/memdb/serve.js";
import { readToken } from "../../runtime/memdb/wirestatus.js";
import { defineCommand, UsageError } from "../arguments.js";
import { messages } from "../messages.js";
import { writeAll } from "../output.js";
import { storeOptions, storePath } from "../shared-options.js";
import { integer, size } from "../values.js";

const { host: DEFAULT_HOST, port: DEFAULT_PORT, size: DEFAULT_SIZE } = DEFAULTS;

const counts = new Intl.NumberFormat("en-US");

export const collect = defineCommand({
  meta: { name: "memdb", description: "collects what running programs record, and keeps a store for each of them" },
  usage: ["[options] [-m [NAME] | [-f] PATH]"],
  about: [
    "The first process's store is at PATH. While that process lives, another one's store is at stem.PID.ext. " +
      `memview can read them at any time; they are updated every ${LIMITS.writeMs / 1000} s. A program never waits ` +
      "for memdb: memdb may be absent, slow or killed, and when it is back, the program sends everything again.",
  ],
  args: {
    ...storeOptions,
    size: {
      type: "string",
      alias: "s",
      valueHint: "BYTES",
      description:
        "The largest size of a store, and of a process in memdb's memory: 512MiB, 8GiB (the default). What does not " +
        "fit is counted as dropped. In memory, a process takes at most just below 4 GiB.",
    },
    host: {
      type: "string",
      alias: "h",
      valueHint: "HOST",
      section: "Where programs connect",
      description: `The name or address to listen on; the default is ${DEFAULT_HOST}.`,
    },
    port: {
      type: "string",
      alias: "p",
      valueHint: "PORT",
      description: `The port; the default is ${DEFAULT_PORT}, and 0 means any free port.`,
    },
    unix: {
      type: "string",
      valueHint: "PATH",
      description:
        "Listen on a Unix socket that only this user and root can connect to. Listen on TCP as well only with -h or " +
        "-p.",
    },
    "token-file": {
      type: "string",
      valueHint: "FILE",
      section: "Who may connect",
      description:
        "Programs must prove that they have the token in FILE (MEMHOOK_NET_TOKEN_FILE). It has at least 16 bytes.",
    },
    insecure: {
      type: "boolean",
      description: "Listen beyond this machine without a token. Anybody can then write stores here.",
    },
    json: { type: "boolean", section: "Other", description: "Log to standard output, one JSON object a line." },
    help: { type: "boolean", description: "Show this help. (-h is the host.)" },
  },
  examples: [
    ["memdb -f app.mem", "then start a program with MEMHOOK_NET_HOST=127.0.0.1 LD_PRELOAD=$(memhook lib)"],
    [
      "memdb -h 0.0.0.0 --token-file token app.mem",
      "for other machines, which have the same file and MEMHOOK_NET_TOKEN_FILE=token",
    ],
    ["memdb --unix /run/user/1000/memdb app.mem", "then MEMHOOK_NET_HOST=unix:/run/user/1000/memdb"],
    ["memdb status", "its sessions and counters"],
    ["memview list app.mem", "the stores that it keeps"],
  ],
  notes: {
    Limits: [
      `${LIMITS.sessions} processes and ${LIMITS.connections} connections at a time, ` +
        `${LIMITS.handshakeMs / 1000} s for the handshake, 256 KiB for a message.`,
    ],
  },
  exits: [
    ["0", "it ended by SIGINT, SIGTERM or SIGQUIT, and has written all that it received"],
    ["2", "it cannot start; one line on standard error says why"],
  ],

  async run({ args }) {
    const bytes = args.size === undefined ? DEFAULT_SIZE : size("size", args.size);
    if (bytes < LEAST_SIZE) throw new UsageError(`--size: ${args.size} is too small for a store; give 8MiB or more`);
    const overTcp = args.unix === undefined || args.host !== undefined || args.port !== undefined;
    const tcp = {
      host: args.host ?? DEFAULT_HOST,
      port: integer("port", args.port ?? String(DEFAULT_PORT), 0, 65535),
    };
    if (args.unix === "") throw new UsageError("--unix needs a path, not an empty one");
    // Before it says that it listens, because what reads the log may signal at once.
    const signalled = new Promise<void>((resolve) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGQUIT"] as const) process.on(signal, () => resolve());
    });
    const memdb = await serve({
      store: storePath(args),
      size: bytes,
      tcp: overTcp ? tcp : undefined,
      unix: args.unix,
      token: args["token-file"] === undefined ? undefined : readToken(args["token-file"]),
      insecure: args.insecure ?? false,
      log: args.json ? logJson : logText,
    });
    await signalled;
    await memdb.close();
    return 0;
  },
});

function logJson(entry: LogEntry): void {
  try {
    writeAll(1, `${JSON.stringify({ time: wallDate().toISOString(), ...entry })}\n`);
  } catch {
    // The log's reader has gone; the programs' data has not.
  }
}

function logText({ event, pid, counts: n, ...entry }: LogEntry): void {
  const [peer, exe, store, reason] = [entry.peer, entry.exe, entry.store, entry.reason].map((text) =>
    printable(text ?? ""),
  );
  const live = n ? `${counts.format(n.live)} allocations, ${counts.format(n.bytes)} bytes live` : "";
  const lines: Record<LogEntry["event"], string> = {
    listening: `listening on ${peer}, storing in ${store}`,
    session: `${peer}: process ${pid}, ${exe}, goes to ${store}`,
    snapshot: `process ${pid} is complete: ${live}`,
    closed: `${peer}: process ${pid}: ${reason}; ${live}`,
    refused: `${peer}: refused: ${reason}`,
    trouble: entry.store ? `${store} cannot be written, will try again: ${reason}` : `${reason}`,
    recovered: `${store} can be written again; nothing is lost`,
    full: `${store}: ${reason}`,
    closing: "closed",
  };
  messages("memdb").info(lines[event]);
}
