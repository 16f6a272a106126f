/* A program that brings its own malloc, as rustc, redis and others do with a static jemalloc: it gets its memory by
 * mmap, and is not ready for calls while it sets itself up. memhook's hook of that mmap is called in the middle of
 * this, as the very first: whatever memhook does then must not call malloc. Prints `own` when the program's own
 * functions served it. What memhook can see of such a program is its mappings:
 *
 * live 1 x 16777216 mmap set_up
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "program.h"

#define AREA_BYTES ((size_t)16 << 20)

static char *area;
static _Atomic size_t used;
static atomic_int setting_up;
static _Atomic unsigned long served;

static void give_up(const char *why) {
  if (write(STDERR_FILENO, why, strlen(why)) > 0) _exit(97);
  _exit(96);
}

NOINLINE static void set_up(void) {
  if (atomic_exchange(&setting_up, 1)) give_up("malloc was called while it sets itself up\n");
  void *memory = mmap(NULL, AREA_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) give_up("no memory\n");
  area = memory;
  setting_up = 0;
}

/* Never frees. The size stands before each block. */
static void *take(size_t size, size_t alignment) {
  if (area == NULL) set_up();
  if (size > AREA_BYTES) {
    errno = ENOMEM;
    return NULL;
  }
  size_t start, end;
  size_t before = used;
  do {
    start = (before + sizeof(size_t) + alignment - 1) & ~(alignment - 1);
    end = start + size;
    if (end > AREA_BYTES) {
      errno = ENOMEM;
      return NULL;
    }
  } while (!atomic_compare_exchange_weak(&used, &before, end));
  memcpy(area + start - sizeof(size_t), &size, sizeof size);
  served++;
  return area + start;
}

void *malloc(size_t size) { return take(size, 16); }
void free(void *block) { (void)block; }
void *calloc(size_t count, size_t size) { return take(count * size, 16); }
void *realloc(void *block, size_t size) {
  void *moved = take(size, 16);
  if (block != NULL && moved != NULL) {
    size_t old;
    memcpy(&old, (char *)block - sizeof(size_t), sizeof old);
    memcpy(moved, block, old < size ? old : size);
  }
  return moved;
}
void *memalign(size_t alignment, size_t size) { return take(size, alignment < 16 ? 16 : alignment); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }
int posix_memalign(void **block, size_t alignment, size_t size) {
  *block = memalign(alignment, size);
  return *block == NULL ? ENOMEM : 0;
}
void *valloc(size_t size) { return memalign(4096, size); }
void *pvalloc(size_t size) { return memalign(4096, (size + 4095) & ~(size_t)4095); }

/* Before the constructor of any library, preloaded ones included. */
NOINLINE static void first_of_all(void) { free(malloc(1)); }

__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = first_of_all;

int main(void) {
  for (int i = 0; i < 100; i++) {
    char *copy = strdup("served by the program itself");
    CHECK(copy != NULL && copy >= area && copy < area + AREA_BYTES);
    free(copy);
  }
  CHECK(served >= 100);
  say("own\n");
  return 0;
}
