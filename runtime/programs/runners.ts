// Programs that run tests or build them: whatever they hold themselves, it is not what was to be tested.
//
// By name, and only where the system or a toolchain has installed them: a program of the user's own that is called
// "go" is tested like any other. Interpreters are none: the tests of pytest run in python3 itself.

import { basename } from "node:path";

const INSTALLED =
  /^(\/usr(\/local)?)?\/(s?bin|lib\w*|libexec)\/|^\/(nix|gnu)\/store\/|\/\.(cargo|rustup)\/|\/go\/(bin|pkg)\//;

const NAMES = new RegExp(
  `^(${[
    // Shells, and what starts another program.
    "(ba|da|z|k|mk|c|tc|fi)?sh|busybox|env|timeout|nice|nohup|setsid|stdbuf|time|xargs|parallel|script|sudo|su",
    "taskset|unshare|chroot|flock|xvfb-run|tini|dumb-init",
    // Runners of builds and tests.
    "ctest|cmake|g?make|ninja|samu|meson|bazel|buck2|scons|cargo(-\\w+)?|rustup|go|gotestsum|tox|prove|git",
    // Compilers and linkers that these call.
    "([\\w.]+-)*(gcc|g\\+\\+|cc|c\\+\\+|clang|clang\\+\\+|cpp|as|ar|ld|nm|strip|ranlib|objcopy)(-[\\d.]+)?",
    "ld\\.\\w+|lld|mold|cc1(plus)?|collect2|lto1|lto-wrapper|rustc|rustdoc|compile|link|asm|cgo|vet|buildid|ccache",
  ].join("|")})$`,
);

/** Whether an executable is a runner of tests or builds. */
export function isRunner(exe: string): boolean {
  return INSTALLED.test(exe) && NAMES.test(basename(exe));
}
