// A program that brings its own operators new and delete, as many do: over malloc, with a header before each block.
// What memhook sees is the malloc inside; the program must work as without.
//
// live 3 x 116 heap own_allocate(unsigned long)
#include <new>

#include "program.h"

struct Header {
  size_t size;
  size_t magic;
};

static size_t balance;

NOINLINE static void *own_allocate(size_t size) {
  auto *header = static_cast<Header *>(malloc(sizeof(Header) + size));
  CHECK(header != nullptr);
  header->size = size;
  header->magic = 0x6d656d68;
  balance += size;
  return header + 1;
}

static void own_free(void *block) noexcept {
  if (block == nullptr) return;
  auto *header = static_cast<Header *>(block) - 1;
  CHECK(header->magic == 0x6d656d68);
  header->magic = 0;
  balance -= header->size;
  free(header);
}

void *operator new(size_t size) { return own_allocate(size); }
void *operator new[](size_t size) { return own_allocate(size); }
void operator delete(void *block) noexcept { own_free(block); }
void operator delete[](void *block) noexcept { own_free(block); }
void operator delete(void *block, size_t) noexcept { own_free(block); }
void operator delete[](void *block, size_t) noexcept { own_free(block); }

static void *volatile sink;

int main() {
  const size_t before = balance;
  for (int i = 0; i < 1000; i++) {
    auto *volatile array = new char[static_cast<size_t>(i)];
    delete[] array;
    auto *volatile number = new long(i);
    delete number;
  }
  CHECK(balance == before);
  for (int i = 0; i < 3; i++) sink = new char[100];
  CHECK(balance == before + 300);
}
