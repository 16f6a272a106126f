// Every form of the C++ operators new and delete.
//
// live 1 x 11 heap by_new()
// live 1 x 12 heap by_new_nothrow()
// live 1 x 13 heap by_new_array()
// live 1 x 14 heap by_new_array_nothrow()
// live 1 x 64 heap by_new_aligned()
// live 1 x 128 heap by_new_aligned_nothrow()
// live 1 x 192 heap by_new_array_aligned()
// live 1 x 256 heap by_new_array_aligned_nothrow()
// live 1 x 48 heap by_expression()
// live 3 x 1000 heap by_vector()
// live 1 x 15 heap deeper_after_a_throw()
#include <new>
#include <vector>

#include "program.h"

static void *aligned(void *block) {
  CHECK(reinterpret_cast<uintptr_t>(block) % 64 == 0);
  return block;
}

static constexpr std::align_val_t a64{64};

NOINLINE static void by_new() { keep(::operator new(11), 11); }
NOINLINE static void by_new_nothrow() { keep(::operator new(12, std::nothrow), 12); }
NOINLINE static void by_new_array() { keep(::operator new[](13), 13); }
NOINLINE static void by_new_array_nothrow() { keep(::operator new[](14, std::nothrow), 14); }
NOINLINE static void by_new_aligned() { keep(aligned(::operator new(64, a64)), 64); }
NOINLINE static void by_new_aligned_nothrow() { keep(aligned(::operator new(128, a64, std::nothrow)), 128); }
NOINLINE static void by_new_array_aligned() { keep(aligned(::operator new[](192, a64)), 192); }
NOINLINE static void by_new_array_aligned_nothrow() { keep(aligned(::operator new[](256, a64, std::nothrow)), 256); }

struct Point {
  double x, y, z, u, v, w;
};

NOINLINE static void by_expression() { keep(new Point(), sizeof(Point)); }

// The allocator of the container is inlined or not as the compiler likes: only the function of ours is certain.
NOINLINE static void by_vector() {
  for (int i = 0; i < 3; i++) {
    auto *block = std::allocator<char>().allocate(1000);
    keep(block, 1000);
  }
}

static void *volatile sink;

static void *escape(void *block) {
  sink = block;
  return sink;
}

NOINLINE static void every_delete() {
  for (int i = 0; i < 100; i++) {
    ::operator delete(escape(::operator new(21)));
    ::operator delete(escape(::operator new(22)), std::size_t{22});
    ::operator delete(escape(::operator new(23, std::nothrow)), std::nothrow);
    ::operator delete[](escape(::operator new[](24)));
    ::operator delete[](escape(::operator new[](25)), std::size_t{25});
    ::operator delete[](escape(::operator new[](26, std::nothrow)), std::nothrow);
    ::operator delete(escape(::operator new(64, a64)), a64);
    ::operator delete(escape(::operator new(64, a64)), std::size_t{64}, a64);
    ::operator delete(escape(::operator new(64, a64, std::nothrow)), a64, std::nothrow);
    ::operator delete[](escape(::operator new[](64, a64)), a64);
    ::operator delete[](escape(::operator new[](64, a64)), std::size_t{64}, a64);
    ::operator delete[](escape(::operator new[](64, a64, std::nothrow)), a64, std::nothrow);
  }
  ::operator delete(nullptr);
  ::operator delete[](nullptr);
}

// Further in than the operator that threw, so that its hook could still be taken for running.
NOINLINE static void deeper_after_a_throw() {
  volatile char frame[4096];
  frame[0] = frame[sizeof frame - 1] = 0;
  keep(::operator new(15), 15);
}

NOINLINE static void requests_that_fail() {
  volatile std::size_t most = PTRDIFF_MAX;
  CHECK(::operator new(most, std::nothrow) == nullptr);
  CHECK(::operator new[](most, std::nothrow) == nullptr);
  CHECK(::operator new(most & ~std::size_t{63}, a64, std::nothrow) == nullptr);
  int thrown = 0;
  try {
    sink = ::operator new(most);
  } catch (const std::bad_alloc &) {
    thrown++;
    deeper_after_a_throw();
  }
  try {
    sink = ::operator new[](most & ~std::size_t{63}, a64);
  } catch (const std::bad_alloc &) {
    thrown++;
  }
  CHECK(thrown == 2);
}

static int handler_calls;

// A new handler may free memory and return, and is then called again: the operator must loop as the standard says.
NOINLINE static void the_new_handler() {
  volatile std::size_t most = PTRDIFF_MAX;
  std::set_new_handler([] {
    if (++handler_calls == 3) std::set_new_handler(nullptr);
  });
  bool thrown = false;
  try {
    sink = ::operator new(most);
  } catch (const std::bad_alloc &) {
    thrown = true;
  }
  CHECK(thrown && handler_calls == 3);
}

int main() {
  by_new();
  by_new_nothrow();
  by_new_array();
  by_new_array_nothrow();
  by_new_aligned();
  by_new_aligned_nothrow();
  by_new_array_aligned();
  by_new_array_aligned_nothrow();
  by_expression();
  by_vector();
  every_delete();
  requests_that_fail();
  the_new_handler();
}
