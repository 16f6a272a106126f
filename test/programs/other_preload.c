/* Another library that is preloaded and interposes malloc, as profilers, debuggers and sandboxes do: finds the next
 * definition with dlsym and passes everything on. It must work before and behind libmemhook in LD_PRELOAD.
 * Writes `seen N` to standard error at the end, if it has seen anything.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>

#include "program.h"

#define VISIBLE __attribute__((visibility("default")))

static void *(*next_malloc)(size_t);
static void (*next_free)(void *);
static volatile unsigned long seen;

VISIBLE void *malloc(size_t size) {
  if (next_malloc == NULL) next_malloc = (void *(*)(size_t))(intptr_t)dlsym(RTLD_NEXT, "malloc");
  __atomic_fetch_add(&seen, 1, __ATOMIC_RELAXED);
  return next_malloc(size);
}

VISIBLE void free(void *block) {
  if (next_free == NULL) next_free = (void (*)(void *))(intptr_t)dlsym(RTLD_NEXT, "free");
  next_free(block);
}

__attribute__((destructor)) static void tell(void) {
  char line[64];
  int length = snprintf(line, sizeof line, "seen %s\n", seen > 0 ? "calls" : "nothing");
  if (write(STDERR_FILENO, line, (size_t)length) != length) _exit(98);
}
