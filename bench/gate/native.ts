// The project's C and C++: a program of two units each.
//
// Sizes come from few values, so that leaks are not told apart by what they hold alone. Both units have the same code,
// and each has twins of its own: optimizers fold such functions into one.

import { C, C_HEAD } from "./c.js";
import { COROUTINE, CXX, CXX_HEAD } from "./cxx.js";
import { type Place, type Project, unitText } from "./project.js";

const SINK = `
#pragma once
#ifdef __cplusplus
extern "C" {
#endif
extern void *volatile sink;
void run_c1(void);
void run_c2(void);
void run_x1(void);
void run_x2(void);
#ifdef __cplusplus
}
#endif
`;

const TEMPLATE = `
#pragma once
#include "sink.h"
template <class F> __attribute__((noinline)) void call(F function) {
  function();
  sink = nullptr;
}
template <class T> void shared_template() {
  //@before shared_template
  sink = new T[6];
  //@after shared_template
}
`;

const MAIN = `
#include "sink.h"
void *volatile sink;
int main(void) {
  run_c1();
  run_c2();
  run_x1();
  run_x2();
  return 0;
}
`;

/** Places of C++ that both units have. */
const IN_BOTH = new Set(["plain", "lambda", "passed", "nested", "generic", "twins"]);

/** C and C++. */
export function nativeProject(coroutines: boolean): Project {
  const c = (unit: string) => unitText(unit, C_HEAD, C, (calls) => `void run_${unit}(void) {\n${calls}}`);
  const cxx = (unit: string, head: string, places: readonly Place[]) =>
    unitText(unit, head, places, (calls) => `void run_${unit}(void) {\n${calls}}`);
  const others = CXX.filter(({ name }) => IN_BOTH.has(name));
  const second = coroutines ? [...others, COROUTINE] : others;
  const files = new Map([
    ["src/sink.h", SINK.trimStart()],
    ["src/template.h", TEMPLATE.trimStart()],
    ["src/main.c", MAIN.trimStart()],
    ["src/c1.c", c("c1")],
    ["src/c2.c", c("c2")],
    ["src/x1.cc", cxx("x1", CXX_HEAD, CXX)],
    ["src/x2.cc", cxx("x2", coroutines ? `#include <coroutine>\n${CXX_HEAD.trim()}` : CXX_HEAD, second)],
  ]);
  const units = [...files.keys()].filter((file) => !file.endsWith(".h"));
  return { folder: "project", version: "1.2.3", files, units, flags: [], linking: [] };
}
