/* forward: what interposition alone costs. A library to preload that hands malloc and its family on to the next
 * definition, through pointers looked up once, and does nothing else.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static void *(*next_malloc)(size_t);
static void (*next_free)(void *);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static int (*next_posix_memalign)(void **, size_t, size_t);
static void *(*next_aligned_alloc)(size_t, size_t);
static void *(*next_memalign)(size_t, size_t);

/* What the lookup itself allocates. */
static _Alignas(16) uint8_t early[16384];
static size_t early_used;

static void *early_allocate(size_t size) {
  void *block = early + early_used;
  early_used += (size + 15) & ~(size_t)15;
  return early_used <= sizeof(early) ? block : NULL;
}

static int is_early(const void *block) {
  return (const uint8_t *)block >= early && (const uint8_t *)block < early + sizeof(early);
}

__attribute__((constructor)) static void look_up(void) {
  static int begun;
  if (begun) return;
  begun = 1;
  *(void **)&next_free = dlsym(RTLD_NEXT, "free");
  *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
  *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
  *(void **)&next_posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
  *(void **)&next_aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
  *(void **)&next_memalign = dlsym(RTLD_NEXT, "memalign");
  *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
}

#define READY(name) (__builtin_expect(next_##name != NULL, 1) || (look_up(), next_##name != NULL))

void *malloc(size_t size) {
  return READY(malloc) ? next_malloc(size) : early_allocate(size);
}

void *calloc(size_t count, size_t size) {
  return READY(calloc) ? next_calloc(count, size) : early_allocate(count * size);
}

void free(void *block) {
  if (__builtin_expect(!is_early(block), 1) && READY(free)) next_free(block);
}

void *realloc(void *old, size_t size) {
  if (__builtin_expect(is_early(old), 0) || !READY(realloc)) {
    void *block = malloc(size);
    size_t rest = is_early(old) ? (size_t)(early + sizeof(early) - (uint8_t *)old) : 0;
    if (block && old) memcpy(block, old, size < rest ? size : rest);
    return block;
  }
  return next_realloc(old, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
  return READY(posix_memalign) ? next_posix_memalign(block, alignment, size) : 12;
}

void *aligned_alloc(size_t alignment, size_t size) {
  return READY(aligned_alloc) ? next_aligned_alloc(alignment, size) : NULL;
}

void *memalign(size_t alignment, size_t size) {
  return READY(memalign) ? next_memalign(alignment, size) : NULL;
}
