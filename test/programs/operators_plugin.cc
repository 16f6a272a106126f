// A plugin in C++ for operators_host.c, which is in C. With -DOWN it has operators new and delete of its own, with a
// header before each block; the other forms lead to these where the plugin brought the C++ runtime. With -DTHREAD its
// constructor waits for a thread that allocates; with -DMEANWHILE a thread of it allocates until the program ends. It
// prints how often its own were called, and the blocks that stay.
#include <new>
#include <vector>

#include "program.h"

static unsigned long news, deletes;

#ifdef OWN
struct Header {
  size_t size, magic;
};
// Inlined into a caller, as clang does it, there would be only the malloc inside to be seen.
NOINLINE void *operator new(size_t size) {
  auto *header = static_cast<Header *>(malloc(sizeof(Header) + size));
  if (header == nullptr) throw std::bad_alloc();
  *header = {size, 0x6d656d68};
  news++;
  return header + 1;
}
NOINLINE void operator delete(void *block) noexcept {
  if (block == nullptr) return;
  auto *header = static_cast<Header *>(block) - 1;
  CHECK(header->magic == 0x6d656d68);
  header->magic = 0;
  deletes++;
  free(header);
}
#endif

extern "C" __attribute__((visibility("default"))) void plugin_run();

struct Point {
  long x, y, z;
};

NOINLINE static void leak_by_new() { keep(::operator new(101), 101); }
NOINLINE static void leak_by_new_array() { keep(::operator new[](102), 102); }
NOINLINE static void leak_by_new_nothrow() { keep(::operator new(103, std::nothrow), 103); }

NOINLINE void plugin_run() {
  for (int i = 0; i < 20; i++) {
    delete new Point();
    delete[] new Point[static_cast<size_t>(i)]();
    delete new (std::nothrow) Point();
    std::vector<long> numbers(static_cast<size_t>(i));
    CHECK(numbers.size() == static_cast<size_t>(i));
  }
  leak_by_new();
  leak_by_new_array();
  leak_by_new_nothrow();
  volatile size_t most = PTRDIFF_MAX;
  int thrown = 0;
  try {
    keep(::operator new[](most), 0);
  } catch (const std::bad_alloc &) {
    thrown++;
  }
  CHECK(thrown == 1 && ::operator new(most, std::nothrow) == nullptr);
  say("own %lu %lu\n", news, deletes);
}

#ifdef THREAD
#include <pthread.h>

static Point *volatile points;

static void *allocate(void *) {
  points = new Point[3]();
  delete[] points;
  return nullptr;
}

// No std::thread: it would allocate here.
__attribute__((constructor)) static void wait_for_thread() {
  pthread_t thread;
  CHECK(pthread_create(&thread, nullptr, allocate, nullptr) == 0);
  CHECK(pthread_join(thread, nullptr) == 0);
}
#endif

#ifdef MEANWHILE
#include <pthread.h>

static pthread_t other;
static Point *volatile point;
static unsigned long turns;
static bool stopped;

static void *allocate_on(void *) {
  while (!__atomic_load_n(&stopped, __ATOMIC_RELAXED)) {
    point = new Point();
    delete point;
    __atomic_fetch_add(&turns, 1, __ATOMIC_RELAXED);
  }
  return nullptr;
}

__attribute__((constructor)) static void start() {
  CHECK(pthread_create(&other, nullptr, allocate_on, nullptr) == 0);
  while (__atomic_load_n(&turns, __ATOMIC_RELAXED) < 1000) sched_yield();
}

__attribute__((destructor)) static void stop() {
  __atomic_store_n(&stopped, true, __ATOMIC_RELAXED);
  CHECK(pthread_join(other, nullptr) == 0);
}
#endif
