// A program that replaces any of the C++ operators new and delete, the others being the runtime's, which forward to
// each other (ISO C++ [new.delete]). Compiled with -DFORM=N it is one of the replacements, without it the program:
// they are linked in every combination. How they do it is the program's argument: `count` calls malloc, `header` puts
// 64 bytes before each block, `pool` has memory of its own and never calls malloc.
//
// A second argument makes it print what the operators returned instead: that is what counts where the replacements
// are in a library behind memhook.
//
// What it prints is the same under memhook, but for the lines `live ADDRESS SIZE`: what malloc gave for what is live
// at the end, by the log that the replacements keep and, for blocks that are not theirs, by the program's own.
#include <cstdint>
#include <cstdlib>
#include <new>

using Size = std::size_t;

// The replaced one that is called, or that a form leads to.
void *own_take(int form, Size size, Size alignment);
void own_give(int form, void *block);

#if __cplusplus >= 201703L
using Align = std::align_val_t;
#endif

#ifdef FORM

#if FORM < 4
static void *take(Size size, Size alignment = 0) {
  void *block = own_take(FORM, size, alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
#endif

#if FORM == 0
void *operator new(Size size) { return take(size); }
#elif FORM == 1
void *operator new[](Size size) { return take(size); }
#elif FORM == 2
void *operator new(Size size, Align alignment) { return take(size, static_cast<Size>(alignment)); }
#elif FORM == 3
void *operator new[](Size size, Align alignment) { return take(size, static_cast<Size>(alignment)); }
#elif FORM == 4
void *operator new(Size size, const std::nothrow_t &) noexcept { return own_take(FORM, size, 0); }
#elif FORM == 5
void *operator new[](Size size, const std::nothrow_t &) noexcept { return own_take(FORM, size, 0); }
#elif FORM == 6
void operator delete(void *block) noexcept { own_give(FORM, block); }
#elif FORM == 7
void operator delete[](void *block) noexcept { own_give(FORM, block); }
#elif FORM == 8
void operator delete(void *block, Size) noexcept { own_give(FORM, block); }
#elif FORM == 9
void operator delete[](void *block, Size) noexcept { own_give(FORM, block); }
#elif FORM == 10
void operator delete(void *block, Align) noexcept { own_give(FORM, block); }
#elif FORM == 11
void operator delete[](void *block, Align) noexcept { own_give(FORM, block); }
#else
#error "no such form"
#endif

#else

#include <string>
#include <vector>

#include "program.h"

#if __cplusplus < 201402L || !defined(__cpp_sized_deallocation)
void operator delete(void *, Size) noexcept;
void operator delete[](void *, Size) noexcept;
#endif

enum { FORMS = 12, MOST = 4096 };

static const char *style = "count";
static unsigned long calls[FORMS];
static long live_own;

struct Block {
  void *given, *taken; // what the operator returned, and what malloc did
  Size size;           // of the latter
};
static Block own[MOST], others[MOST];
static int own_count, others_count;

static Block *find_own(const void *given) {
  for (int i = 0; i < own_count; i++)
    if (own[i].given == given) return &own[i];
  return nullptr;
}

alignas(4096) static char pool[1 << 20];
static Size pool_used;

void *own_take(int form, Size size, Size alignment) {
  calls[form]++;
  if (size > PTRDIFF_MAX / 2) return nullptr;
  live_own++;
  if (*style == 'c') return alignment != 0 ? aligned_alloc(alignment, size) : malloc(size + !size);
  if (alignment < 16) alignment = 16;
  Block block{};
  if (*style == 'p') {
    pool_used = (pool_used + alignment - 1) & ~(alignment - 1);
    block.given = pool + pool_used;
    pool_used += size + 1;
    CHECK(pool_used <= sizeof pool);
  } else {
    block.size = size + 64 + alignment;
    block.taken = malloc(block.size);
    CHECK(block.taken != nullptr);
    auto address = (reinterpret_cast<uintptr_t>(block.taken) + 64 + alignment - 1) & ~(alignment - 1);
    block.given = reinterpret_cast<void *>(address);
    memcpy(static_cast<char *>(block.given) - 8, "mmmmhook", 8);
  }
  CHECK(own_count < MOST);
  own[own_count++] = block;
  return block.given;
}

void own_give(int form, void *block) {
  calls[form]++;
  live_own--;
  if (block == nullptr) return;
  Block *known = find_own(block);
  if (known == nullptr) { // it counts only, or the runtime's own gave the block
    free(block);
    return;
  }
  if (*style == 'h') CHECK(memcmp(static_cast<char *>(block) - 8, "mmmmhook", 8) == 0);
  void *taken = known->taken;
  *known = own[--own_count];
  free(taken);
}

// Of each three blocks the second stays; the others are freed as `give` does it.
template <typename Take, typename Give>
static void three(const char *name, Size size, Take take, Give give) {
  void *blocks[3];
  for (int i = 0; i < 3; i++) {
    blocks[i] = take(size + static_cast<Size>(i));
    CHECK(blocks[i] != nullptr);
    memset(blocks[i], 0xa5, size + static_cast<Size>(i));
  }
  give(blocks[0], size);
  give(blocks[2], size + 2);
  CHECK(others_count < MOST);
  others[others_count++] = Block{blocks[1], blocks[1], size + 1};
  say("%s %ld\n", name, live_own);
}

template <typename Take>
static void too_much(const char *name, Take take) {
  static volatile Size most = PTRDIFF_MAX - 4095;
  static int asked;
  asked = 0;
  std::set_new_handler([] {
    if (++asked == 3) std::set_new_handler(nullptr);
  });
  const char *result = "a block";
  try {
    if (take(most) == nullptr) result = "null";
  } catch (const std::bad_alloc &) {
    result = "bad_alloc";
  }
  std::set_new_handler(nullptr);
  say("%s %s %d\n", name, result, asked);
}

struct Point {
  long x, y, z;
};

NOINLINE static void *by_new(Size n) { return ::operator new(n); }
NOINLINE static void *by_new_array(Size n) { return ::operator new[](n); }
NOINLINE static void *by_new_nothrow(Size n) { return ::operator new(n, std::nothrow); }
NOINLINE static void *by_new_array_nothrow(Size n) { return ::operator new[](n, std::nothrow); }
NOINLINE static void by_delete(void *p, Size) { ::operator delete(p); }
NOINLINE static void by_delete_array(void *p, Size) { ::operator delete[](p); }
NOINLINE static void by_delete_sized(void *p, Size n) { ::operator delete(p, n); }
NOINLINE static void by_delete_array_sized(void *p, Size n) { ::operator delete[](p, n); }
NOINLINE static void by_delete_nothrow(void *p, Size) { ::operator delete(p, std::nothrow); }
NOINLINE static void by_delete_array_nothrow(void *p, Size) { ::operator delete[](p, std::nothrow); }

#if __cplusplus >= 201703L
static constexpr Align a256{256};
NOINLINE static void *by_new_aligned(Size n) { return ::operator new(n, a256); }
NOINLINE static void *by_new_array_aligned(Size n) { return ::operator new[](n, a256); }
NOINLINE static void *by_new_aligned_nothrow(Size n) { return ::operator new(n, a256, std::nothrow); }
NOINLINE static void *by_new_array_aligned_nothrow(Size n) { return ::operator new[](n, a256, std::nothrow); }
NOINLINE static void by_delete_aligned(void *p, Size) { ::operator delete(p, a256); }
NOINLINE static void by_delete_array_aligned(void *p, Size) { ::operator delete[](p, a256); }
NOINLINE static void by_delete_aligned_sized(void *p, Size n) { ::operator delete(p, n, a256); }
NOINLINE static void by_delete_array_aligned_sized(void *p, Size n) { ::operator delete[](p, n, a256); }
NOINLINE static void by_delete_aligned_nothrow(void *p, Size) { ::operator delete(p, a256, std::nothrow); }
NOINLINE static void by_delete_array_aligned_nothrow(void *p, Size) { ::operator delete[](p, a256, std::nothrow); }
#endif

NOINLINE static void expressions() {
  for (int i = 0; i < 100; i++) {
    delete new Point();
    delete[] new Point[static_cast<Size>(i)]();
    std::vector<int> numbers(static_cast<Size>(i));
    std::string text(static_cast<Size>(i), 'x');
    CHECK(numbers.size() == text.size());
  }
}

int main(int count, char **arguments) {
  if (count > 1) style = arguments[1];
  expressions();
  three("new delete", 100, by_new, by_delete);
  three("new delete sized", 110, by_new, by_delete_sized);
  three("new delete nothrow", 120, by_new, by_delete_nothrow);
  three("new nothrow, delete", 130, by_new_nothrow, by_delete);
  three("new[] delete[]", 140, by_new_array, by_delete_array);
  three("new[] delete[] sized", 150, by_new_array, by_delete_array_sized);
  three("new[] delete[] nothrow", 160, by_new_array, by_delete_array_nothrow);
  three("new[] nothrow, delete[]", 170, by_new_array_nothrow, by_delete_array);
  too_much("new", by_new);
  too_much("new[]", by_new_array);
  too_much("new nothrow", by_new_nothrow);
  too_much("new[] nothrow", by_new_array_nothrow);
#if __cplusplus >= 201703L
  three("new delete, aligned", 300, by_new_aligned, by_delete_aligned);
  three("new delete sized, aligned", 310, by_new_aligned, by_delete_aligned_sized);
  three("new delete nothrow, aligned", 320, by_new_aligned, by_delete_aligned_nothrow);
  three("new nothrow, delete, aligned", 330, by_new_aligned_nothrow, by_delete_aligned);
  three("new[] delete[], aligned", 340, by_new_array_aligned, by_delete_array_aligned);
  three("new[] delete[] sized, aligned", 350, by_new_array_aligned, by_delete_array_aligned_sized);
  three("new[] delete[] nothrow, aligned", 360, by_new_array_aligned, by_delete_array_aligned_nothrow);
  three("new[] nothrow, delete[], aligned", 370, by_new_array_aligned_nothrow, by_delete_array_aligned);
  too_much("new aligned", by_new_aligned);
  too_much("new[] aligned", by_new_array_aligned);
  too_much("new aligned nothrow", by_new_aligned_nothrow);
  too_much("new[] aligned nothrow", by_new_array_aligned_nothrow);
#endif
  const bool given = count > 2; // to print what the operators returned, whatever malloc did
  // Side by side, as no malloc would put them.
  for (int i = 0; i < 100 && given; i++) others[others_count++] = Block{by_new(8), nullptr, 8};
  for (int i = 0; i < FORMS; i++)
    if (calls[i] != 0) say("form %d called %lu times\n", i, calls[i]);
  for (int i = 0; i < others_count; i++)
    if (given || find_own(others[i].given) == nullptr) say("live %p %zu\n", others[i].given, others[i].size);
  for (int i = 0; i < own_count && !given; i++)
    if (own[i].taken != nullptr) say("live %p %zu\n", own[i].taken, own[i].size);
}

#endif
