// Where every command starts and every error ends.
//
// The launchers call main() with their command. Errors that a user can fix are thrown anywhere, as UsageError or as the
// runtime's own error classes. Here they become one line on standard error and exit code 2. Nothing else prints errors,
// and nothing prints a stack trace.

import { readFileSync } from "node:fs";
import { type CommandDef, runCommand } from "citty";
import { type Command, canonical, UsageError } from "./arguments.js";
import { messages } from "./messages.js";
import { ReaderGone, writeAll } from "./output.js";

/** Runs the command named by the arguments and ends the process. */
export async function main(command: Command, program: string): Promise<never> {
  let code = 0;
  try {
    code = await dispatch(command, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof ReaderGone)) {
      messages(program).error(error instanceof Error ? allowing(error.message, program) : error);
      code = 2;
    }
  }
  process.exit(code);
}

/** Deno reports the permissions that it refuses one flag at a time, and does not say that /proc needs all of them. */
function allowing(message: string, program: string): string {
  return message.replace(
    /Requires (\w+) access( to "[^"]*")?, run again with the --allow-\w+ flag/,
    (_, kind: string, what = "") => {
      const few = program === "memview" && kind !== "all";
      const flags = new Set(["read", "env", "sys", kind].map((each) => `--allow-${each}`));
      return `Deno refuses ${kind} access${what}: run it with ${few ? [...flags].join(" ") : "--allow-all"}`;
    },
  );
}

async function dispatch(root: Command, typed: readonly string[]): Promise<number> {
  if (typed.length === 1 && typed[0] === "--version") {
    writeAll(1, `${root.meta.name} ${version()}\n`);
    return 0;
  }
  const argv = askedForHelp(root, typed) ?? [...typed];
  const name = argv[0] ?? "";
  const load = root.subCommands && Object.hasOwn(root.subCommands, name) ? root.subCommands[name] : undefined;
  if (root.subCommands && !load && !name.startsWith("-") && name !== "" && !takesArguments(root)) {
    throw new UsageError(`unknown command '${name}': ${Object.keys(root.subCommands).join(" or ")}`);
  }
  const sub = await load?.();
  const command = sub ?? root;
  const rawArgs = canonical(sub ? argv.slice(1) : argv, command.args);
  const end = rawArgs.indexOf("--");
  if (rawArgs.lastIndexOf("--help=true", end) >= 0) {
    const { help } = await import("./help.js");
    writeAll(1, await help(command, sub ? `${root.meta.name} ${name}` : root.meta.name));
    return 0;
  }
  // Subcommands are chosen above, by the first word alone: citty would take the store's path for one.
  const { subCommands: _, ...alone } = command;
  const { result } = await runCommand(alone as CommandDef, { rawArgs });
  return result as number;
}

/** "help", "help top" and a lonely -h, which may be an option without its value, as --help; null: none of them. */
function askedForHelp(root: Command, typed: readonly string[]): string[] | null {
  const [first, second] = typed;
  if (typed.length === 1 && first === "-h") return ["--help"];
  if (first !== "help" || typed.length > 2) return null;
  if (second === undefined) return ["--help"];
  return root.subCommands && Object.hasOwn(root.subCommands, second) ? [second, "--help"] : null;
}

/** Beside this file's folder, whether it is bundled or not. */
function version(): string {
  const { version: number } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  return String(number);
}

function takesArguments(command: Command): boolean {
  return Object.values(command.args).some((option) => option.type === "positional");
}
