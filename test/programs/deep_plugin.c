/* A plugin for deepbind.c. Its constructor takes a block that its destructor gives back, and each way to allocate
 * leaks one block.
 *
 *   -DOPENS     its constructor opens the plugin beside it, other.so, in the same way
 *   -DHAS_HEAP  it has a malloc and a free of its own, whose blocks memhook does not record
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <sys/mman.h>

#include "program.h"

#define VISIBLE __attribute__((visibility("default")))
VISIBLE void *plugin_lend(void);
VISIBLE void plugin_take(void *block);
VISIBLE void plugin_leak(void);

static void *from_constructor;

#ifdef HAS_HEAP
/* Blocks of the program's heap, which it is handed, it gives back there. */
static char pool[1 << 16];
static size_t used;
VISIBLE void *malloc(size_t size) {
  void *block = pool + used;
  used += (size + 31) & ~(size_t)15;
  return block;
}
static void (*program_free)(void *);
VISIBLE void free(void *block) {
  if ((char *)block >= pool && (char *)block < pool + sizeof pool) return;
  program_free(block);
}
#endif

__attribute__((constructor)) static void begin(void) {
  from_constructor = malloc(222);
#ifdef HAS_HEAP
  program_free = (void (*)(void *))(intptr_t)dlsym(RTLD_DEFAULT, "cfree");
  if (!program_free) program_free = (void (*)(void *))(intptr_t)dlsym(dlopen(NULL, RTLD_NOW), "free");
#endif
#ifdef OPENS
  Dl_info here;
  char path[1024];
  CHECK(dladdr((void *)(intptr_t)begin, &here));
  snprintf(path, sizeof path, "%.*sother.so", (int)(strrchr(here.dli_fname, '/') + 1 - here.dli_fname), here.dli_fname);
  void *other = dlopen(path, RTLD_NOW | 8);
  CHECK(other != NULL);
  ((void (*)(void))(intptr_t)dlsym(other, "plugin_leak"))();
#endif
}

__attribute__((destructor)) static void end(void) { free(from_constructor); }

void *plugin_lend(void) {
#ifdef HAS_HEAP
  return calloc(1, 44);
#else
  return malloc(44);
#endif
}

void plugin_take(void *block) { free(block); }

void plugin_leak(void) {
#ifdef HAS_HEAP
  void *volatile unseen = malloc(333);
  (void)unseen;
#else
  keep(malloc(333), 333);
  keep(calloc(2, 111), 222);
  keep(realloc(malloc(10), 334), 334);
  keep(aligned_alloc(64, 640), 640);
  void *block;
  CHECK(posix_memalign(&block, 64, 641) == 0);
  keep(block, 641);
  char *text = strdup("deep");
  free(text);
  void *mapping = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(mapping != MAP_FAILED);
  keep(mapping, 1 << 20);
#endif
}
