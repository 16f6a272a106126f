/* Maps the part of its own file that holds a function a second time, somewhere
 * else, and leaks from that function at both places.
 *
 * live 4 x 88 heap leak_from_both
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "program.h"

typedef void *allocate(size_t);

/* Calls nothing by its own address: it is run at another one. */
NOINLINE static void leak_from_both(allocate *allocator, void **blocks) {
  blocks[0] = allocator(88);
  blocks[1] = allocator(88);
}

int main(void) {
  char line[4200], path[4096] = "";
  unsigned long start = 0, end = 0, offset = 0;
  uintptr_t here = (uintptr_t)leak_from_both;
  FILE *maps = fopen("/proc/self/maps", "r");
  CHECK(maps != NULL);
  while (fgets(line, sizeof line, maps))
    if (sscanf(line, "%lx-%lx r-xp %lx %*s %*s %4095[^\n]", &start, &end, &offset, path) == 4 && start <= here
        && here < end) break;
  fclose(maps);
  int file = open(path, O_RDONLY);
  CHECK(file >= 0);
  char *again = mmap(NULL, end - start, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, (off_t)offset);
  CHECK(again != MAP_FAILED);
  close(file);
  void *blocks[4];
  leak_from_both(malloc, blocks);
  ((void (*)(allocate *, void **))(intptr_t)(again + (here - start)))(malloc, blocks + 2);
  for (int i = 0; i < 4; i++) keep(blocks[i], 88);
  return 0;
}
