// memhook run: runs a program with the library preloaded and a store of its own, and summarises what is live at its
// end. The program keeps its stdin, stdout, stderr and exit code; the summary goes to standard error.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { clock } from "../../runtime/host/clock.js";
import { LaunchError, whyNotWritten } from "../../runtime/host/errors.js";
import type { Moment } from "../../runtime/host/types.js";
import { ownAllocator } from "../../runtime/programs/allocator.js";
import { KeptModules } from "../../runtime/programs/keptmodules.js";
import { type Ending, launch, shellCode, wordsFor } from "../../runtime/programs/launch.js";
import { preloadOnce } from "../../runtime/programs/preload.js";
import { findProgram, whyNoStore } from "../../runtime/programs/program.js";
import { type Remains, remainsOf } from "../../runtime/programs/remains.js";
import { Signals } from "../../runtime/programs/signals.js";
import { libraryToRun } from "../../runtime/programs/target.js";
import { report } from "../../runtime/reports/report.js";
import { openStore } from "../../runtime/stores/store.js";
import { Symbolizer } from "../../runtime/symbols/symbolize.js";
import { defineCommand, UsageError } from "../arguments.js";
import { Baseline } from "../baseline.js";
import { limitOptions, tellingOptions } from "../checking.js";
import { CHECKING, VIEWING, variableEntries } from "../environment.js";
import { messages } from "../messages.js";
import { openingLines } from "../opening.js";
import { tell } from "../output.js";
import { processSummary } from "../reports/summary.js";
import { ownAllocatorLine, sizeText } from "../reports/text.js";
import { hostOfEnvironment, runForMemdb } from "../sending.js";
import { anyTimeOf, anyTimeOption, helpOption, skipOf } from "../shared-options.js";
import { terminalStyle, verdictStyle } from "../terminal.js";
import { unknownSettings } from "../unknown-settings.js";
import { integer } from "../values.js";

/** Processes shown with their stacks; a build under memhook has hundreds. */
const PROCESSES_SHOWN = 5;

export const run = defineCommand({
  meta: { name: "run", description: "runs a program, and shows what it has not freed" },
  usage: ["[options] [--] PROGRAM [ARG…]"],
  about: [
    "All arguments after PROGRAM belong to it. Processes that it starts are recorded too. Each has its own store " +
      "(app.4711.mem beside app.mem), and those with live memory are shown. The library's settings apply, such as " +
      "MEMHOOK_SIZE_MB and MEMHOOK_DEPTH (memhook --help lists them).",
    "A signal sent to memhook reaches PROGRAM once, whether it is sent to memhook alone or to the process group. " +
      "memhook stops and continues with PROGRAM. While the report is made, the first signal that asks memhook to end " +
      "is answered with a line; the second ends it without a report. KILL, STOP and real-time signals cannot be " +
      "passed on: KILL and real-time signals end memhook, and PROGRAM runs on. The report lists processes that " +
      "outlive PROGRAM, such as a daemon.",
    "If MEMHOOK_NET_HOST is set, and none of -f, --baseline and --exit-code is given, PROGRAM sends to memdb there, " +
      "which keeps the stores. memhook looks a host name up with the system's resolver.",
  ],
  args: {
    "mapped-file": {
      type: "string",
      alias: "f",
      valueHint: "PATH",
      section: "Options",
      description:
        "Keep the store in this file, to look at it while the program runs and afterwards. Without this option the " +
        "store is temporary.",
    },
    top: {
      type: "string",
      valueHint: "N",
      description:
        "Show the N call stacks that hold most, in each process; the default is 10. With --baseline, the N " +
        "regressions that hold most.",
    },
    "exit-code": {
      type: "string",
      valueHint: "N",
      description:
        "Exit with N if the program left memory live, for CI. Without this option, exit as the program does.",
    },
    at: {
      ...anyTimeOption.at,
      description: `${anyTimeOption.at.description} The default is exit; with --exit-code or --baseline, end.`,
    },
    baseline: {
      type: "string",
      valueHint: "FILE",
      section: "Checking, for CI",
      description:
        "Compare what is live at the end with this snapshot, report changes on standard error, and exit with 1 for " +
        "a regression. If the file does not exist, it is written; with CI=true that is an error.",
    },
    runners: {
      type: "boolean",
      description:
        "Compare what shells, test runners and compilers hold, too (sh, make, ctest, cargo, go, gcc, timeout …). " +
        "Without it they are left out where other processes were recorded.",
    },
    update: {
      type: "boolean",
      description: "Write what is live to the baseline instead. Refused with CI=true.",
    },
    output: {
      type: "string",
      alias: "o",
      valueHint: "FILE",
      description: "Write the changes to this file instead of standard error.",
    },
    ...limitOptions,
    format: tellingOptions.format,
    ...helpOption,
    program: { type: "positional", required: false, rest: true, description: "The program and its arguments" },
  },
  examples: [
    ["memhook run ./app --its --options", "run it, and then see what it has not freed"],
    ["memhook run --top 3 -- python3 script.py", ""],
    ["memhook run -f app.mem ./server &", "keep the store, for a program that runs on"],
    ["memview -ac --min-time-from-now 1min app.mem", "and look at it meanwhile"],
    ["memhook run --exit-code 1 ./tests", "fail when the tests leave memory live"],
    ["memhook run --baseline tests.snap -- ./tests", "fail when they leave more live than was accepted"],
  ],
  notes: { "Environment, besides the library's settings": [variableEntries([...CHECKING, ...VIEWING])] },
  exits: [
    ["the program's", "its own exit code; 128 + N when signal N ended it"],
    ["that of --exit-code", "memory is live and no signal ended the program"],
    ["1", "--baseline finds a regression and the program itself did not fail"],
    ["2", "the program could not be run or checked; one line on standard error says why"],
  ],

  async run({ args }) {
    let clear = () => {};
    const signals = new Signals({
      tell: (text) => messages("memhook").info(text),
      leave(signal) {
        clear();
        process.exit(128 + constants.signals[signal]);
      },
    });
    const [program, ...rest] = args._;
    if (program === undefined) throw new UsageError("run which program? memhook run PROGRAM [ARG…]");
    const top = integer("top", args.top ?? "10", 1, 2 ** 32 - 1);
    const leakCode = args["exit-code"] === undefined ? null : integer("exit-code", args["exit-code"], 0, 255);
    const { baseline } = args;
    if (baseline === undefined) {
      const lonely = ["runners", "update", "output", "format", ...Object.keys(limitOptions)].find(
        (name) => args[name as "update"] !== undefined,
      );
      if (lonely !== undefined) throw new UsageError(`--${lonely} is about a comparison: name its --baseline FILE too`);
    }
    const { at, atPeak } = anyTimeOf(args, leakCode === null && baseline === undefined ? "exit" : "end");
    if (atPeak && baseline !== undefined)
      throw new UsageError("--baseline compares what is live: use --at exit or end");
    const library = libraryToRun(program);
    // What is wrong with the check is said before the program runs.
    const check = baseline === undefined ? null : await Baseline.open(baseline, args);

    const kept = args["mapped-file"];
    const host = hostOfEnvironment();
    const reason = (["mapped-file", "baseline", "exit-code"] as const).find((name) => args[name] !== undefined);
    if (host !== null && reason === undefined) return await runForMemdb(args._, library, host, signals);
    if (host !== null) messages("memhook").info(`--${reason} wants a store here: nothing is sent to memdb at ${host}`);
    const folder = kept === undefined ? temporaryFolder() : null;
    const path = resolve(kept ?? join(folder!, "store.mem"));
    if (/%[pe]/.test(dirname(path))) throw new UsageError(`-f ${kept}: %p and %e can only stand in the file's name`);
    if (!existsSync(dirname(path))) throw new UsageError(`-f ${kept}: there is no folder ${dirname(path)}`);
    const preload = preloadOnce(library);
    const keeper = new KeptModules(path);
    clear = () => {
      preload.remove();
      keeper.close();
      if (folder !== null) rmSync(folder, { recursive: true, force: true });
    };
    try {
      const started = clock.boot();
      keeper.hold(findProgram(program));
      keeper.watch();
      for (const line of unknownSettings(process.env)) messages("memhook").warn(line);
      const ending = await launch([program, ...rest], preload.path, { store: path }, signals);
      keeper.stop();
      if (check !== null) {
        const left = (await remains(path, started, at)).stores;
        for (const { running, pid, exe } of left)
          if (running) messages("memhook").info(`${exe} (pid ${pid}) is still running: what it holds now is compared`);
        if (left.length === 0)
          throw new LaunchError(`nothing was recorded: ${whyNoStore(program, ending.privileged, path)}`);
        keeper.look();
        const regression = await check.judge(left, keeper, at);
        // A program that failed says so first.
        return shellCode(ending) || Number(regression);
      }
      const told = { top, kept, keeper, at, atPeak };
      const leaks = await summarise(path, started, program, ending, told).catch((error: Error) => {
        messages("memhook").error(error.message);
        return null;
      });
      // The program did run, so its exit code counts, unless leaks were to decide.
      if (leakCode === null || ending.signal !== null || leaks === false) return shellCode(ending);
      return leaks ? leakCode : 2;
    } finally {
      clear();
    }
  },
});

function temporaryFolder(): string {
  try {
    return mkdtempSync(join(tmpdir(), "memhook-"));
  } catch (error) {
    const why = whyNotWritten(error);
    throw new LaunchError(
      `no folder can be made in ${tmpdir()} (${why}): set TMPDIR, or name the store's file with -f`,
    );
  }
}

/** What is told, and of when. */
interface Told {
  top: number;
  kept: string | undefined;
  keeper: KeptModules;
  at: Moment;
  atPeak: boolean;
}

/**
 * Prints the summary of all processes that left a store since `started`.
 * Gives whether anything is live; null when nothing is known about the program itself.
 */
async function summarise(
  path: string,
  started: bigint | null,
  program: string,
  ending: Ending,
  { top, kept, keeper, at, atPeak }: Told,
): Promise<boolean | null> {
  const log = messages("memhook");
  const { stores: left, storeless } = await remains(path, started, at);
  const main = left.find(({ pid }) => pid === ending.pid);
  if (!main) log.warn(`nothing was recorded: ${whyNoStore(program, ending.privileged, path)}`);

  const style = terminalStyle(2);
  const notable = left.filter((each) => each === main || each.running || each.liveCount > 0 || each.dropped > 0);
  notable.sort((a, b) => a.liveBytes - b.liveBytes);
  const shown = notable.filter((each, i) => each === main || i >= notable.length - PROCESSES_SHOWN);
  const others = notable.filter((each) => !shown.includes(each));
  if (others.length > 0) {
    const bytes = others.reduce((sum, each) => sum + each.liveBytes, 0);
    const text = sizeText(bytes, style);
    log.info(`${others.length} more of the processes, with ${text} live in all, are not shown`);
  }
  keeper.look();
  const symbolizer = new Symbolizer({ kept: keeper });
  let leaks = false;
  for (const { pid, exe } of storeless)
    log.info(
      `${exe} (pid ${pid}) is still running and has no store: it has allocated nothing, or memhook is off in it`,
    );
  // What the C and C++ runtimes keep for themselves is no leak, or every C++ program would have one.
  const opening = await openingLines(
    notable.filter((each) => each.liveCount > 0),
    main,
    symbolizer,
    { style: verdictStyle(2), skip: skipOf({}), at, atPeak },
  );
  for (const line of opening) tell(line);
  for (const each of notable) {
    const store = await openStore(each.path, at);
    const { pid, exe, state } = store.process;
    const name = pid === ending.pid ? program : exe || "a process";
    const ended = pid === ending.pid ? wordsFor(ending) : state === "running" ? "is still running" : "has ended";
    const order = atPeak ? ({ sort: "peak", freedStacks: true } as const) : ({ sort: "size" } as const);
    const answer = await report(store, { aggregate: true, ...order, top }, symbolizer, {
      stacks: true,
      knownSuppressed: true,
    });
    if (answer.matched.count > 0) leaks = true;
    const freed = store.freedInExit()?.bytes ?? 0;
    const own = each === main ? ownAllocator(program) : null;
    if (shown.includes(each)) for (const piece of processSummary(name, ended, answer, style, freed)) tell(piece);
    if (own !== null && !own.exported) log.warn(ownAllocatorLine(program, own.name));
    store.close();
  }
  for (const note of symbolizer.notes) log.warn(note);
  for (const { running, pid, path: its } of shown)
    if (running && kept !== undefined) log.info(`the store of process ${pid} goes on in ${its}: memview -acs ${its}`);
  if (notable.some(({ running }) => running) && kept === undefined)
    log.info("-f PATH keeps the stores of what is still running");
  if (kept !== undefined && main !== undefined) {
    // Beside that path if somebody else's store was there.
    const its = main.path === path ? kept : main.path;
    log.info(`the store is in ${its}: memview -acs ${its}`);
  }
  return leaks || main ? leaks : null;
}

/** What the run has left. Reports stores that cannot be read. */
async function remains(path: string, started: bigint | null, at: Moment): Promise<Remains> {
  const found = await remainsOf(path, started, at);
  for (const line of found.unreadable) messages("memhook").warn(line);
  return found;
}
