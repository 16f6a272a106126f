// A plugin for deepbind.c in C++: the operators, and a container.
#include <vector>

#include "program.h"

#define VISIBLE extern "C" __attribute__((visibility("default")))

struct alignas(64) Wide {
  char bytes[192];
};

VISIBLE void *plugin_lend() { return malloc(44); }
VISIBLE void plugin_take(void *block) { free(block); }
VISIBLE void plugin_leak() {
  keep(new char[333], 333);
  keep(new long, sizeof(long));
  keep(new Wide, sizeof(Wide));
  delete new Wide;
  delete[] new char[10];
  std::vector<int> numbers(100);
  numbers.resize(1000);
}
