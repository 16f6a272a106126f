// The project's units in C++: places that allocate, each in a way of its own.

import type { Place } from "./project.js";

export const CXX_HEAD = `
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

export const CXX: readonly Place[] = [
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

export const COROUTINE: Place = {
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
