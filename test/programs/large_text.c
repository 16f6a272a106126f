/* Moves its code to anonymous memory at the same address, as programs do for large pages. Then it calls dlopen, so that
 * memhook reads the modules again, and leaks. Argument 1: `all` of the segment, or the `part` in front of its last
 * page. Argument 2: a shared library to load.
 *
 * live 3 x 77 heap leak_from_moved
 * live 1 x * mmap main
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <sys/mman.h>

#include "program.h"

/* More than a page of code. */
__asm__(".text\n.skip 8192, 0xcc\n");

NOINLINE static void leak_from_moved(void) {
  for (int i = 0; i < 3; i++) keep(malloc(77), 77);
}

/* Where this function is mapped executable. */
NOINLINE static void find_text(uintptr_t *start, uintptr_t *end) {
  char line[4200];
  uintptr_t here = (uintptr_t)leak_from_moved;
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  while (fgets(line, sizeof line, maps))
    if (sscanf(line, "%lx-%lx r-xp", start, end) == 2 && *start <= here && here < *end) break;
  fclose(maps);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  uintptr_t start = 0, end = 0;
  find_text(&start, &end);
  size_t bytes = end - start;
  if (argv[1][0] == 'p') bytes -= 4096;
  char *copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(copy != MAP_FAILED);
  memcpy(copy, (void *)start, bytes);
  CHECK(mprotect(copy, bytes, PROT_READ | PROT_EXEC) == 0);
  CHECK(mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)start) == (void *)start);
  CHECK(dlopen(argv[2], RTLD_NOW) != NULL);
  leak_from_moved();
  return 0;
}
