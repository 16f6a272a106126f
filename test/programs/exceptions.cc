// C++ exceptions through hundreds of frames, with allocations made on the way down, freed by destructors on the way up,
// and made again in handlers; the exception objects themselves come and go.
//
// live 200 x 81 heap before_throwing()
// live 200 x 82 heap in_handler()
#include <memory>
#include <stdexcept>
#include <string>

#include "program.h"

NOINLINE static void before_throwing() { keep(::operator new(81), 81); }
NOINLINE static void in_handler() { keep(::operator new(82), 82); }

NOINLINE static void descend(int depth, const std::string &text) {
  std::string longer = text + std::to_string(depth);
  auto block = std::make_unique<char[]>(longer.size() + 1);
  memcpy(block.get(), longer.c_str(), longer.size() + 1);
  if (depth == 0) {
    before_throwing();
    throw std::runtime_error(longer.substr(0, 100));
  }
  try {
    descend(depth - 1, longer.substr(0, 50));
  } catch (const std::logic_error &) {
    CHECK(!"of this type");
  }
  CHECK(block[0] != 0);
}

int main() {
  for (int i = 0; i < 200; i++) {
    try {
      descend(300, "a text that is too long for the short string optimization ");
      CHECK(!"nothing was thrown");
    } catch (const std::exception &) {
      in_handler();
    }
  }
}
