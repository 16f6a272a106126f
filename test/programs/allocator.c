/* An allocator as a shared library, preloaded behind memhook. Calls that it makes inside of its own functions are not
 * the program's, whatever they are. The program chooses them by allocator_mode:
 *
 *     map       takes its memory by mmap inside of malloc, as jemalloc, tcmalloc and mimalloc do
 *     helper    the same, in a library that it calls for that
 *     syscall   the same, by syscall(SYS_mmap)
 *     libc      takes it from libc's malloc, memalign and operator new, called by their public names
 *     free      maps inside of free, as jemalloc does when a thread's first call is that
 *     thread    starts a thread inside of malloc, as jemalloc does with background_thread:true; the thread maps,
 *               allocates and unmaps
 *     raise     raises SIGUSR1 inside of malloc
 *
 * A constructor maps, too. With -DHELPER this is the library that it calls. */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "program.h"

#ifdef HELPER
void *helper_map(size_t size) { return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }
#else
enum { CHUNK = 1 << 20, FIRST = 8 << 20, TRIGGER = 4242 };

void *helper_map(size_t size) __attribute__((weak));
void *_Znwm(size_t size) __attribute__((weak));

static char first[FIRST] __attribute__((aligned(64)));
static char *at = first, *end = first + FIRST;
static atomic_flag lock = ATOMIC_FLAG_INIT;
static const char *mode = "map";
static pthread_t background;
static __thread int asking; /* libc: this is the call for a chunk */

void allocator_mode(const char *chosen) {
  mode = chosen;
  at = end; /* the next block takes a chunk */
}

static int is(const char *name) { return strcmp(mode, name) == 0; }

static void *map(size_t size) {
  void *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) abort();
  return mapped;
}

static void *from_libc(size_t size) {
  static int turn;
  asking = 1;
  void *chunk = turn++ % 2 ? memalign(64, size) : _Znwm ? _Znwm(size) : calloc(1, size);
  asking = 0;
  return chunk;
}

static void *chunk(void) {
  if (is("helper")) return helper_map(CHUNK);
  if (is("syscall"))
    return (void *)syscall(SYS_mmap, NULL, (size_t)CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
  return is("libc") ? from_libc(CHUNK) : map(CHUNK);
}

static void *work(void *unused) {
  char *own = map(3 * CHUNK);
  munmap(own + CHUNK, CHUNK);
  free(malloc(100));
  return unused;
}

static void *take(size_t size, size_t alignment) {
  size_t whole = (size + 31) & ~(size_t)15;
  if (alignment > 64) abort();
  while (atomic_flag_test_and_set(&lock)) {}
  if ((size_t)(end - at) < whole + 64) {
    at = chunk();
    end = at + CHUNK;
  }
  char *block = (char *)(((uintptr_t)at + 16 + alignment - 1) & ~(alignment - 1));
  at = block + whole - 16;
  atomic_flag_clear(&lock);
  memcpy(block - 8, &size, sizeof size);
  return block;
}

/* Memory for the allocator itself: where it asks libc, the public names lead here again. */
static void *allocate(size_t size, size_t alignment) {
  static void *(*libc_memalign)(size_t, size_t);
  if (asking) {
    if (!libc_memalign) *(void **)&libc_memalign = dlsym(RTLD_NEXT, "memalign");
    return libc_memalign(alignment, size);
  }
  if (size == TRIGGER && is("thread") && pthread_create(&background, NULL, work, NULL)) abort();
  if (size == TRIGGER && is("raise")) raise(SIGUSR1);
  return take(size, alignment < 16 ? 16 : alignment);
}

void *malloc(size_t size) { return allocate(size, 16); }
void *memalign(size_t alignment, size_t size) { return allocate(size, alignment); }
void *aligned_alloc(size_t alignment, size_t size) { return allocate(size, alignment); }
void *calloc(size_t count, size_t size) { return allocate(count * size, 16); } /* never used before */
void *realloc(void *old, size_t size) {
  char *block = allocate(size, 16);
  size_t before = 0;
  if (old) memcpy(&before, (char *)old - 8, sizeof before);
  if (old) memcpy(block, old, before < size ? before : size);
  return block;
}
void free(void *block) {
  static __thread int begun;
  if (block && is("free") && !begun++) map(CHUNK);
}

/* Memory that the program asks for, in a way that memhook does not know. */
void *allocator_pool(size_t size) { return map(size); }

void allocator_join(void) {
  if (is("thread")) pthread_join(background, NULL);
}

__attribute__((constructor)) static void construct(void) { map(CHUNK); }
#endif
