/* Every function of malloc's family, from requests of nothing to refused ones, some freed, some kept. After valgrind's
 * memcheck and glibc's tests of malloc. Prints what was refused. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *kept[4096];
static unsigned count;

static void keep(void *block) {
  if (block) kept[count++] = block;
}

static void refused(const char *what, void *block) {
  printf("%s: %s, %s\n", what, block ? "a block" : "none", strerror(errno));
  errno = 0;
  free(block);
}

int main(void) {
  volatile size_t huge = PTRDIFF_MAX;
  for (size_t size = 0; size < 100; size += 7) {
    keep(malloc(size));
    keep(calloc(size, 3));
    keep(realloc(NULL, size));
    keep(reallocarray(NULL, size, 2));
    keep(memalign(64, size));
    keep(aligned_alloc(256, 256 * (size + 1)));
    keep(valloc(size + 1));
    keep(pvalloc(size + 1));
    void *block;
    if (posix_memalign(&block, 32, size) == 0) keep(block);
  }
  for (size_t size = 1; size < (size_t)64 << 20; size = size * 3 + 1) keep(malloc(size));
  for (unsigned at = 0; at < count; at += 3) {
    kept[at] = realloc(kept[at], at * 37 + 1);
    if (at % 2) free(kept[at]), kept[at] = NULL;
  }
  refused("malloc", malloc(huge + 1));
  refused("calloc", calloc(huge, 3));
  refused("realloc", realloc(NULL, huge + 1));
  refused("reallocarray", reallocarray(NULL, huge, 3));
  refused("memalign", memalign(64, huge));
  refused("aligned_alloc", aligned_alloc(64, huge));
  void *block = malloc(50);
  void *same = block;
  printf("posix_memalign: %d %d\n", posix_memalign(&block, 3, 10), posix_memalign(&block, 64, huge));
  printf("the pointer is %s\n", block == same ? "untouched" : "another");
  void *grown = realloc(block, huge);
  printf("a failed realloc: %s\n", grown ? "a block" : "none");
  printf("realloc to nothing: %s\n", realloc(malloc(10), 0) ? "a block" : "none");
  free(NULL);
  return 0;
}
