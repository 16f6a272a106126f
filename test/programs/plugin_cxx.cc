// A shared library in C++ for dlopen.c, which is in C: brings the C++ runtime into a program that had none.
#include <map>
#include <stdexcept>
#include <string>

#include "program.h"

extern "C" __attribute__((visibility("default"))) void plugin_leak(int count);
extern "C" __attribute__((visibility("default"))) void *plugin_lend();

static std::map<int, std::string> *volatile table;

NOINLINE static void leak_by_new() { keep(::operator new(555), 555); }

NOINLINE static void throw_deep(int depth) {
  std::string passing(100, 'x');
  if (depth == 0) throw std::runtime_error(passing);
  throw_deep(depth - 1);
  say("%s\n", passing.c_str());
}

NOINLINE void plugin_leak(int count) {
  for (int i = 0; i < count; i++) leak_by_new();
  table = new std::map<int, std::string>();
  for (int i = 0; i < 100; i++) (*table)[i] = std::string(50, 'y');
  delete table;
  for (int i = 0; i < 10; i++) {
    try {
      throw_deep(30);
      CHECK(!"nothing was thrown");
    } catch (const std::runtime_error &) {
    }
  }
}

NOINLINE void *plugin_lend() {
  void *volatile block = malloc(44);
  return block;
}
