// The example's own tests.
#include <cstdio>

#include "registry.h"

static int failed = 0;

static void expect(bool right, const char *what) {
  if (right) return;
  std::printf("failed: %s\n", what);
  failed = 1;
}

int main() {
  registry().open("first");
  registry().open("second");
  expect(registry().close("second"), "closes what is open");
  expect(!registry().close("second"), "closes only once");
  expect(registry().close("first"), "closes the first");
  registry().open("last");
  std::puts("tests done");
  return failed;
}
