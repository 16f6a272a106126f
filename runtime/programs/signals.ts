// Passes the signals that `memhook run` receives on to the program.
//
//     kill PID ──▶ memhook ──▶ program      to memhook alone: passed on
//     Ctrl-C ───┬▶ memhook                  to the process group, by the terminal or somebody: the program has it too
//               ├▶ witness
//               └▶ program
//
// No runtime says who sent a signal, but a third process in the group shows it: the witness, a `cat` that waits for
// input that never comes. The kernel sends a group's signal to all its members in one step. So when memhook receives a
// signal, either the witness has received it too, or it was sent to memhook alone. If there is no `cat`, the terminal's
// signals count as the group's while memhook is in the foreground.
//
// Some signals cannot be caught. The program does not get KILL and STOP. Real-time signals end memhook while the
// program runs on.

import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";
import { runtimeName, textAt } from "../host/host.js";

type Name = NodeJS.Signals;

/**
 * All signals that can be passed on. The faults (SEGV, BUS, …) are memhook's own, and CHLD is about its own children.
 */
const HEARD: readonly Name[] = [
  ...(["SIGHUP", "SIGINT", "SIGQUIT", "SIGABRT", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM"] as const),
  ...(["SIGCONT", "SIGTSTP", "SIGURG", "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO"] as const),
  // Bun keeps one for itself and knows no handler for the other.
  ...(runtimeName() === "bun" ? [] : (["SIGSTKFLT", "SIGPWR"] as const)),
  // What Deno once heard never has its default effect again, and the report would wait for that of TTOU.
  ...(runtimeName() === "deno" ? [] : (["SIGTTIN", "SIGTTOU"] as const)),
];
/** Signals that ask the program to end, or the report if the program has ended. */
const ENDING: readonly Name[] = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM"];
const STOPPING: readonly Name[] = ["SIGTSTP", "SIGTTIN", "SIGTTOU"];
const OF_TERMINAL: readonly Name[] = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTSTP", "SIGWINCH"];

/** How long a witness, or a program that is told to stop, may take to react. */
const LOOKS_MOST = 100;
const LOOK_MS = 5;
/** After this time, what one member of a group has received, the others have received too. */
const SOON_MS = 100;

/** What memhook does itself. */
export interface Otherwise {
  /** A signal could not be passed on, or came when the program had ended. */
  tell(text: string): void;
  /** Asked to end for the second time since the program's end. */
  leave(signal: Name): void;
}

/**
 * Hears this process's signals from its making on and keeps them until there is
 * a program. It hears them until the process ends.
 */
export class Signals {
  readonly #otherwise: Otherwise;
  #early: Name[] = [];
  #program: number | undefined;
  #ended = false;
  #asked = false;
  /** What SIGCONT tells is known and done. */
  #continued = false;
  #resuming = false;
  #witness: ChildProcess | undefined;
  /** Signals that witnesses have just ended of. */
  readonly #diedOf = new Set<Name>();
  readonly #undecided: Name[] = [];

  constructor(otherwise: Otherwise) {
    this.#otherwise = otherwise;
    for (const name of HEARD) process.on(name, this.#hear);
  }

  /** Starts the program. From then on signals go to it; none is handled in between. */
  start(program: () => ChildProcess): ChildProcess {
    this.#watch();
    const child = program();
    this.#program = child.pid;
    if (child.pid !== undefined) for (const name of this.#early) this.#pass(child.pid, name);
    return child;
  }

  /** The program has ended. Ends the witness, and reaps it. */
  async end(): Promise<void> {
    this.#ended = true;
    for (const name of STOPPING) process.off(name, this.#hear);
    const witness = this.#witness;
    if (witness?.pid === undefined || witness.exitCode !== null || witness.signalCode !== null) return;
    const buried = new Promise((resolve) => witness.once("exit", resolve));
    this.#pass(witness.pid, "SIGKILL");
    await buried;
  }

  readonly #hear = (name: Name) => {
    if (this.#ended) this.#late(name);
    else if (this.#program === undefined) this.#early.push(name);
    else if (name === "SIGCONT" && this.#continued) this.#continued = false;
    else if (STOPPING.includes(name)) this.#stop(this.#program, name);
    else {
      const groupHas = this.#groupHas(name);
      if (groupHas === null) this.#undecided.push(name);
      else if (!groupHas) this.#pass(this.#program, name);
    }
  };

  #late(name: Name): void {
    if (!ENDING.includes(name)) return;
    if (this.#asked) this.#otherwise.leave(name);
    else this.#otherwise.tell(`${name}: the program has ended and its report follows; again leaves that out`);
    this.#asked = true;
  }

  #pass(pid: number, name: Name): void {
    try {
      // Not ChildProcess.kill(): after that, Deno sends no second one and takes
      // the program for killed, whatever it did.
      process.kill(pid, name);
    } catch (error) {
      // ESRCH: it has just ended.
      if ((error as NodeJS.ErrnoException).code === "EPERM")
        this.#otherwise.tell(`${name} could not be passed on: the program runs as another user`);
    }
  }

  /**
   * Whether the whole process group got this signal, the program with it; null:
   * to be asked again when the witness is gone.
   */
  #groupHas(name: Name): boolean | null {
    // The witness need not react to this one.
    if (name === "SIGWINCH" || this.#witness?.pid === undefined) return OF_TERMINAL.includes(name) && inForeground();
    if (this.#diedOf.delete(name)) return true;
    const { state, pending } = settled(this.#witness.pid, name);
    if (STOPPING.includes(name)) return state === "T" || pending(name);
    if (pending(name)) {
      this.#watch();
      return true;
    }
    return "ZX".includes(state) ? null : false;
  }

  /** Starts a new witness. One that ends by itself has received a signal that is about to arrive here, too. */
  #watch(): void {
    const witness = spawn("cat", [], { stdio: ["pipe", "ignore", "ignore"], env: { PATH: process.env.PATH } });
    // There is none: then its pid is undefined.
    witness.on("error", () => {});
    witness.on("exit", (_, signal) => {
      if (this.#witness === witness && !this.#ended) {
        this.#watch();
        if (signal !== null) this.#diedOf.add(signal);
        setTimeout(() => signal !== null && this.#diedOf.delete(signal), SOON_MS);
      }
      for (const name of this.#undecided.splice(0)) this.#hear(name);
    });
    this.#witness = witness;
  }

  #stop(program: number, name: Name): void {
    // While resuming it may be from before: what of these it has not delivered then, the kernel takes back.
    if (!this.#resuming && !this.#groupHas(name)) for (const pid of this.#others(program)) this.#pass(pid, name);
    this.#stopWith(program, LOOKS_MOST);
  }

  /**
   * When the program stops, so does memhook, or a shell would go on waiting for
   * both. One that ignores the signal runs on.
   */
  #stopWith(program: number, looks: number): void {
    if (this.#ended || looks === 0) return;
    if (stateOf(program).state !== "T") {
      setTimeout(() => this.#stopWith(program, looks - 1), LOOK_MS);
      return;
    }
    process.kill(process.pid, "SIGSTOP");
    // Here it was continued, alone or with the group.
    this.#continued = true;
    this.#resuming = true;
    setImmediate(() => {
      this.#resuming = false;
    });
    const others = this.#others(program);
    if (others.every((pid) => stateOf(pid).state === "T")) for (const pid of others) this.#pass(pid, "SIGCONT");
  }

  /** The program and, if there is one, the witness, which does as it is told where the program need not. */
  #others(program: number): number[] {
    return this.#witness?.pid === undefined ? [program] : [program, this.#witness.pid];
  }
}

interface State {
  /** One letter, as in /proc/PID/status; X when it is gone. */
  state: string;
  /** Whether the process has this signal before it. */
  pending(name: Name): boolean;
}

/** The state of a witness, when it waits again or has ended: a signal that it is just dying of is pending no more. */
function settled(pid: number, name: Name): State {
  for (let looks = 1; ; looks++) {
    const found = stateOf(pid);
    if ("STZX".includes(found.state) || found.pending(name) || looks === LOOKS_MOST) return found;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOOK_MS);
  }
}

function stateOf(pid: number): State {
  const text = textAt(`/proc/${pid}/status`);
  const pending = BigInt(`0x${/^ShdPnd:\s*([\da-f]+)/m.exec(text)?.[1] ?? 0}`);
  return {
    state: /^State:\s*(\S)/m.exec(text)?.[1]?.toUpperCase() ?? "X",
    pending: (name) => ((pending >> BigInt(constants.signals[name] - 1)) & 1n) === 1n,
  };
}

/** Whether the terminal's keys would now send signals to this process. */
function inForeground(): boolean {
  const stat = textAt("/proc/self/stat");
  // Behind the program's name: state, parent, group, session, terminal, its foreground group.
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return terminal !== "0" && group === foreground;
}
