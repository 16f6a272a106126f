// The project's C and C++: a program of two units each.
//
// Sizes come from few values, so that leaks are not told apart by what they hold alone. Both units have the same code,
// and each has twins of its own: optimizers fold such functions into one.

import { type Place, type Project, unitText } from "./project.js";

const C_HEAD = `
#include <stdlib.h>
#include <string.h>
#include "sink.h"
static void *hold(void *block) { sink = block; return block; }
`;

const C: readonly Place[] = [
  {
    name: "plain",
    text: `
void NAME(void) {
  //@before NAME
  sink = malloc(24);
  //@after NAME
  sink = NULL;
}`,
    call: "NAME();",
  },
  {
    name: "wrapped",
    text: `
static void *NAME_allocate(size_t size) { return malloc(size); }
static void *NAME_make(void) { return NAME_allocate(40); }
void NAME(void) {
  //@before NAME
  sink = NAME_make();
  //@after NAME
}`,
    call: "NAME();",
  },
  {
    name: "loop",
    text: `
void NAME(int times) {
  for (int i = 0; i < times; i++) {
    //@before NAME
    sink = calloc(1, 24);
    //@after NAME
  }
}`,
    call: "NAME(3);",
  },
  {
    name: "copied",
    text: `
__attribute__((noinline)) static void NAME_fill(size_t size, int how) {
  //@before NAME
  sink = how ? realloc(NULL, size) : NULL;
  //@after NAME
}
void NAME(void) { NAME_fill(40, 1); }`,
    call: "NAME();",
  },
  {
    name: "text",
    text: `
void NAME(const char *text) {
  //@before NAME
  sink = strdup(text);
  //@after NAME
}`,
    call: `NAME("what is kept");`,
  },
  {
    name: "pointed",
    text: `
static void NAME_target(void) {
  //@before NAME
  sink = malloc(64);
  //@after NAME
}
void (*volatile NAME_pointer)(void) = NAME_target;
void NAME(void) { NAME_pointer(); }`,
    call: "NAME();",
  },
  {
    name: "same",
    text: `
static void same_name(void) {
  //@before NAME
  sink = hold(malloc(24));
  //@after NAME
}
void NAME(void) { same_name(); }`,
    call: "NAME();",
  },
  {
    name: "twins",
    text: `
static __attribute__((noinline)) void NAME_one(void) { sink = malloc(48); }
static __attribute__((noinline)) void NAME_two(void) { sink = malloc(48); }
void NAME(void) {
  NAME_one();
  //@before NAME
  NAME_two();
  //@after NAME
  sink = NULL;
}`,
    call: "NAME();",
  },
  {
    name: "before_main",
    text: `
__attribute__((constructor)) static void NAME(void) {
  //@before NAME
  sink = malloc(40);
  //@after NAME
}`,
  },
];

const CXX_HEAD = `
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>
#include "sink.h"
#include "template.h"
namespace { void *hold(void *block) { sink = block; return block; } }
`;

const CXX: readonly Place[] = [
  {
    name: "plain",
    text: `
void NAME() {
  //@before NAME
  sink = new char[24];
  //@after NAME
}`,
    call: "NAME();",
  },
  {
    name: "lambda",
    text: `
void NAME() {
  //@before NAME
  auto leak = [] { sink = new char[40]; };
  leak();
  //@after NAME
}`,
    call: "NAME();",
  },
  {
    name: "passed",
    text: `
void NAME() {
  //@before NAME
  call([] { sink = new char[24]; });
  //@after NAME
  call([] { sink = new char[40]; });
}`,
    call: "NAME();",
  },
  {
    name: "nested",
    text: `
void NAME() {
  call([] {
    //@before NAME
    call([] { sink = hold(new char[24]); });
    //@after NAME
  });
}`,
    call: "NAME();",
  },
  {
    name: "generic",
    text: `
void NAME() {
  auto leak = [](auto value) {
    //@before NAME
    sink = new decltype(value)[3];
    //@after NAME
  };
  leak(1L);
  leak('c');
}`,
    call: "NAME();",
  },
  {
    name: "function",
    text: `
std::function<void(int)> NAME_global = [](int size) {
  //@before NAME
  sink = new char[size];
  //@after NAME
};
void NAME() { NAME_global(64); }`,
    call: "NAME();",
  },
  {
    name: "captured",
    text: `
void NAME() {
  struct Large { char bytes[64]; } large{};
  //@before NAME
  auto *kept = new std::function<void()>([large] { sink = (void *)&large; });
  //@after NAME
  sink = kept;
}`,
    call: "NAME();",
  },
  {
    name: "global",
    text: `
static void *NAME_make() {
  //@before NAME
  char *kept = new char[24];
  //@after NAME
  return hold(kept);
}
void *NAME_first = NAME_make();
void *NAME_second = [] { return hold(new char[40]); }();`,
  },
  {
    name: "local_static",
    text: `
void NAME() {
  //@before NAME
  static auto *kept = new std::map<int, int>{{1, 1}};
  //@after NAME
  sink = kept;
}`,
    call: "NAME();",
  },
  {
    name: "hidden",
    text: `
namespace {
void same_name() {
  //@before NAME
  sink = new char[48];
  //@after NAME
}
struct {
  void method() { sink = new char[56]; }
} NAME_unnamed;
}
void NAME() { same_name(); NAME_unnamed.method(); }`,
    call: "NAME();",
  },
  {
    name: "instance",
    text: `
template <class T> struct NAME_Holder {
  __attribute__((noinline)) void keep() {
    //@before NAME
    sink = new T[2];
    //@after NAME
  }
};
void NAME() {
  NAME_Holder<int>().keep();
  NAME_Holder<double>().keep();
  shared_template<float>();
}`,
    call: "NAME();",
  },
  {
    name: "object",
    text: `
struct NAME_Base {
  virtual ~NAME_Base() = default;
  virtual void work() = 0;
};
struct NAME_Derived : NAME_Base {
  char *own;
  NAME_Derived() {
    //@before NAME
    own = new char[24];
    //@after NAME
  }
  void work() override { sink = new char[64]; }
};
void NAME() {
  NAME_Base *object = new NAME_Derived;
  object->work();
  sink = object;
}`,
    call: "NAME();",
  },
  {
    name: "containers",
    text: `
void NAME() {
  //@before NAME
  auto *numbers = new std::vector<int>;
  numbers->push_back(1);
  numbers->push_back(2);
  sink = numbers;
  //@after NAME
  sink = new std::string(40, 'x');
  sink = std::make_unique<std::string>(64, 'y').release();
}`,
    call: "NAME();",
  },
  {
    name: "folded",
    text: `
constexpr int NAME_size(int of) { return of * 8; }
static __attribute__((noinline)) void NAME_copy(int size, bool twice) {
  //@before NAME
  sink = new char[size];
  //@after NAME
  if (twice) sink = new char[size];
}
void NAME() { NAME_copy(NAME_size(3), true); }`,
    call: "NAME();",
  },
  {
    name: "twins",
    text: `
struct NAME_One { __attribute__((noinline)) void keep() { sink = new char[56]; } };
struct NAME_Two { __attribute__((noinline)) void keep() { sink = new char[56]; } };
void NAME() {
  //@before NAME
  NAME_One().keep();
  NAME_Two().keep();
  //@after NAME
  sink = nullptr;
}`,
    call: "NAME();",
  },
  {
    name: "thread",
    text: `
void NAME() {
  std::thread([] {
    //@before NAME
    sink = new char[24];
    //@after NAME
  }).join();
}`,
    call: "NAME();",
  },
];

const COROUTINE: Place = {
  name: "coroutine",
  text: `
struct NAME_Task {
  struct promise_type {
    NAME_Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() {}
  };
  std::coroutine_handle<promise_type> handle;
};
NAME_Task NAME_body(int size) {
  //@before NAME
  sink = new char[size];
  //@after NAME
  co_return;
}
void NAME() {
  auto task = NAME_body(40);
  task.handle.resume();
  task.handle.destroy();
}`,
  call: "NAME();",
};

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
