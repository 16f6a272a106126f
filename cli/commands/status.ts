// memdb status: what a running memdb says about its sessions.

import { printable } from "../../runtime/host/printable.js";
import { askStatus, readToken, type Status } from "../../runtime/memdb/wirestatus.js";
import { defineCommand, UsageError } from "../arguments.js";
import { print } from "../output.js";
import { formatOption, helpOption } from "../shared-options.js";
import { integer, word } from "../values.js";

export const status = defineCommand({
  meta: { name: "status", description: "asks a running memdb for its sessions and counters" },
  usage: ["--unix PATH | --port N [--host HOST]"],
  args: {
    unix: {
      type: "string",
      valueHint: "PATH",
      section: "Which memdb",
      description: "The memdb that listens on this socket.",
    },
    port: {
      type: "string",
      alias: "p",
      valueHint: "PORT",
      description: "The memdb that listens on this TCP port; the default is 20015.",
    },
    host: { type: "string", valueHint: "HOST", description: "The host of that port; the default is 127.0.0.1." },
    "token-file": { type: "string", valueHint: "FILE", description: "The file with the token, if memdb asks for one." },
    ...formatOption,
    ...helpOption,
  },
  examples: [
    ["memdb status", ""],
    ["memdb status --unix /run/user/1000/memdb --format json | jq .sessions", "for a script"],
  ],
  exits: [
    ["0", "memdb answered"],
    ["2", "there is no memdb, it refused, or an argument is wrong"],
  ],
  async run({ args }) {
    if (args.unix !== undefined && (args.port ?? args.host) !== undefined) {
      throw new UsageError("--unix and --port name two; name one");
    }
    const where =
      args.unix !== undefined
        ? { path: args.unix }
        : { host: args.host ?? "127.0.0.1", port: integer("port", args.port ?? "20015", 1, 65535) };
    const format = word("format", args.format ?? "text", ["text", "json"]);
    const token = args["token-file"] === undefined ? undefined : readToken(args["token-file"]);
    const answer = await askStatus(where, token);
    print(format === "json" ? [`${JSON.stringify(answer, undefined, 2)}\n`] : text(answer));
    return 0;
  },
});

function* text({ pid, since, connections, accepted, refused, sessions }: Status): Generator<string> {
  const number = new Intl.NumberFormat("en-US");
  yield `memdb ${pid}, since ${since}: ${connections} connections, ${accepted} sessions so far, ${refused} refused\n`;
  for (const session of sessions) {
    yield `${session.pid} ${printable(session.exe)}\n`;
    yield `    ${printable(`${session.store}, from ${session.peer}`)} since ${session.since}\n`;
    yield `    ${number.format(session.liveCount)} allocations, ${number.format(session.liveBytes)} bytes live; `;
    const [received, memory] = [session.received, session.memoryBytes].map((value) => number.format(value));
    yield `${received} records received, ${memory} bytes of memory\n`;
    if (!session.complete) yield "    the first snapshot is on its way\n";
    if (session.full) yield "    the store has its full size: allocations are dropped\n";
    if (session.trouble) yield `    cannot be written: ${printable(session.trouble)}\n`;
  }
}
