// The time. Only this file asks for it.
//
//     wall       what people call it. Set by hand, by NTP and by daylight saving's end; never counted with
//     boot       since the machine was started: nobody sets it, and programs and stores mean the same by it
//     suspended  how much of that the machine slept; memhook's relative times leave it out
//
// All clocks are read from the kernel. Libraries that shift a program's clocks (libfaketime) shift only its wall clock.
// Time namespaces shift the others (man 7 time_namespaces); here they are the machine's own.
//
// A test has a clock of its own: `using(clock, () => …)`.

import { runtimeName, textAt } from "./host.js";

/** Nanoseconds. */
export interface Clock {
  /** Since 1970. */
  wall(): bigint;
  /** Since the machine was started; null where nobody tells. */
  boot(): bigint | null;
  /** How much of `boot` the machine was suspended, as far as this runtime can tell; null where it cannot. */
  suspended(): bigint | null;
  /** Hex digits that tell this boot of this machine from all others; "" where nobody tells. */
  bootId(): string;
}

const SECOND = 1_000_000_000n;
/** Nanoseconds of a tick of /proc/PID/stat, on all machines. */
export const TICK = 10_000_000n;

class KernelClock implements Clock {
  wall(): bigint {
    return BigInt(Date.now()) * 1_000_000n;
  }

  boot(): bigint | null {
    const uptime = /^(\d+)\.(\d\d) /.exec(textAt("/proc/uptime"));
    if (uptime === null) return null;
    const read = BigInt(uptime[1]!) * SECOND + BigInt(uptime[2]!) * TICK;
    // A container's own file (lxcfs) says how long the container has been
    // there, while this process's start is the machine's.
    const started = startOf(textAt("/proc/self/stat")) * TICK;
    const now = read < started ? started + BigInt(Math.round(process.uptime() * 1e9)) : read;
    return now - offset("boottime");
  }

  suspended(): bigint | null {
    // The others count this from their own start.
    if (runtimeName() !== "node") return null;
    const boot = this.boot();
    return boot === null ? null : boot - (process.hrtime.bigint() - offset("monotonic"));
  }

  bootId(): string {
    return textAt("/proc/sys/kernel/random/boot_id").trim().replaceAll("-", "");
  }
}

/** How many ticks later than elsewhere processes start, as a /proc/PID/stat that this process reads says it. */
export function ticksAhead(): bigint {
  return offset("boottime") / TICK;
}

/** When a process was started, in ticks, by the text of its stat; 0n unknown. */
export function startOf(stat: string): bigint {
  return BigInt(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? 0);
}

/** What the time namespace adds to a clock. */
function offset(clock: "monotonic" | "boottime"): bigint {
  const found = new RegExp(`^${clock}\\s+(-?\\d+)\\s+(\\d+)$`, "m").exec(textAt("/proc/self/timens_offsets"));
  return found === null ? 0n : BigInt(found[1]!) * SECOND + BigInt(found[2]!);
}

const kernel: Clock = new KernelClock();
let asked = kernel;

export const clock: Readonly<Clock> = {
  wall: () => asked.wall(),
  boot: () => asked.boot(),
  suspended: () => asked.suspended(),
  bootId: () => asked.bootId(),
};

/** For tests: what `use` asks, it asks of this clock. */
export async function using<Result>(other: Clock, use: () => Result | Promise<Result>): Promise<Result> {
  asked = other;
  try {
    return await use();
  } finally {
    asked = kernel;
  }
}

/** The wall clock as files' times and dates have it. */
export function wallMilliseconds(): number {
  return Number(clock.wall() / 1_000_000n);
}

export function wallDate(): Date {
  return new Date(wallMilliseconds());
}
