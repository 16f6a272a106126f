// What the C++ operators new ask the allocator for: with sizes of 0, alignments that are none, memory that is refused
// once or twice before it is given. operators_asked.c, behind memhook, prints each question, and this program what
// came of it: the same as without memhook.
//
// live 1 x 4242 heap by_new()
// live 1 x 4242 heap by_new_array_nothrow()
#include <malloc.h>
#include <new>

#include "program.h"

// operators_asked.c prints what is asked after the first, up to the second.
static const size_t begin = 77777, end = 77778;

static void *volatile sink;
static int handled;
static void *reserve;

template <typename Take, typename Give>
static void ask(const char *name, Take take, Give give) {
  const char *result = "a block";
  try {
    void *block = take();
    sink = block;
    if (block == nullptr) result = "null";
    else give(block);
  } catch (const std::bad_alloc &) {
    result = "bad_alloc";
  }
  say("%s: %s, handled %d\n", name, result, handled);
}

NOINLINE static void by_new() {
  std::set_new_handler([] { handled++; });
  keep(::operator new(4242), 4242);
}

NOINLINE static void by_new_array_nothrow() {
  std::set_new_handler([] {
    handled++;
    free(reserve);
    reserve = nullptr;
  });
  keep(::operator new[](4242, std::nothrow), 4242);
}

int main() {
  reserve = malloc(1000);
  const size_t alignments[] = {0, 1, 3, 8, 24, 63, 64, 4096, 5000}, sizes[] = {0, 1, 100, 5000};
  sink = malloc(begin);
  free(sink);
  ask("new", [] { return ::operator new(0); }, [](void *p) { ::operator delete(p); });
  ask("new[]", [] { return ::operator new[](0); }, [](void *p) { ::operator delete[](p); });
  ask("new nothrow", [] { return ::operator new(0, std::nothrow); },
      [](void *p) { ::operator delete(p, std::nothrow); });
  ask("new[] nothrow", [] { return ::operator new[](0, std::nothrow); }, [](void *p) { ::operator delete[](p); });
  for (size_t number : alignments) {
    const std::align_val_t alignment{number};
    say("aligned to %zu\n", number);
    for (size_t size : sizes) {
      ask("new", [=] { return ::operator new(size, alignment); },
          [=](void *p) {
            say("usable %d\n", malloc_usable_size(p) >= number);
            ::operator delete(p, alignment);
          });
      ask("new[]", [=] { return ::operator new[](size, alignment); },
          [=](void *p) { ::operator delete[](p, size, alignment); });
      ask("new nothrow", [=] { return ::operator new(size, alignment, std::nothrow); },
          [=](void *p) { ::operator delete(p, alignment, std::nothrow); });
      ask("new[] nothrow", [=] { return ::operator new[](size, alignment, std::nothrow); },
          [=](void *p) { ::operator delete[](p, alignment); });
    }
  }
  by_new();
  by_new_array_nothrow();
  std::set_new_handler([] {
    if (++handled % 5 == 0) throw std::bad_alloc();
  });
  volatile size_t most = PTRDIFF_MAX;
  ask("too much", [&] { return ::operator new(most); }, [](void *) {});
  ask("too much nothrow", [&] { return ::operator new[](most, std::nothrow); }, [](void *) {});
  sink = malloc(end);
  free(sink);
  say("handled %d\n", handled);
}
