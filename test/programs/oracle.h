/* Blocks, and what must be said of each, for reach/oracle.cc. Their addresses are kept as complements, so that the list
 * holds nothing. */
#pragma once
#include <stdint.h>
#include <stdlib.h>

#define APART __attribute__((noinline))

static struct {
  const char *name;
  char verdict;
  uintptr_t hidden;
} expected[512];
static int expectations;

template <class T> APART static T *expect(const char *name, char verdict, T *block) {
  expected[expectations++] = {name, verdict, ~reinterpret_cast<uintptr_t>(block)};
  return block;
}

static void *block(const char *name, char verdict, size_t size = 40) {
  return expect(name, verdict, calloc(1, size));
}

struct node {
  node *next, *other;
  long data;
};

static node *link(const char *name, char verdict, node *next = nullptr, node *other = nullptr) {
  node *made = static_cast<node *>(block(name, verdict, sizeof(node)));
  made->next = next;
  made->other = other;
  return made;
}

/* What earlier calls left on the stack is overwritten. */
APART static void scrub() {
  char volatile left[65536];
  for (size_t i = 0; i < sizeof left; i++) left[i] = 0;
}

/* An allocator that tells what it gives away. */
template <class T> struct telling {
  using value_type = T;
  telling() = default;
  template <class U> telling(const telling<U> &) {}
  T *allocate(size_t count) { return expect("shared_ptr", 'C', static_cast<T *>(malloc(count * sizeof(T)))); }
  void deallocate(T *block, size_t) { free(block); }
  template <class U> bool operator==(const telling<U> &) const { return true; }
  template <class U> bool operator!=(const telling<U> &) const { return false; }
};
