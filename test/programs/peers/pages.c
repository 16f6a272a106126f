/* Mappings: unmapped at both ends and in the middle, grown, shrunk, moved, replaced by others and by files, refused.
 * After massif's tests of pages and LTP's of mmap. */
#define _GNU_SOURCE 1
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul

static char *map(unsigned long pages) {
  return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(void) {
  char *holes = map(20);
  munmap(holes, PAGE);
  munmap(holes + 19 * PAGE, PAGE);
  munmap(holes + 5 * PAGE, 100);
  munmap(holes + 7 * PAGE, 3 * PAGE);
  char *grown = map(2);
  strcpy(grown, "moved along");
  grown = mremap(grown, 2 * PAGE, 200 * PAGE, MREMAP_MAYMOVE);
  puts(grown);
  mremap(grown, 200 * PAGE, 50 * PAGE, 0);
  char *target = map(30);
  char *moved = mremap(grown + 10 * PAGE, 10 * PAGE, 10 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + 4 * PAGE);
  printf("fixed: %d\n", moved == target + 4 * PAGE);
  char *over = map(16);
  mmap(over + 2 * PAGE, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  FILE *file = tmpfile();
  if (!file || ftruncate(fileno(file), 8 * (long)PAGE)) return 1;
  mmap(over + 10 * PAGE, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fileno(file), 0);
  char *of_file = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
  munmap(of_file + PAGE, PAGE);
  errno = 0;
  printf("unaligned: %d, %s\n", munmap(over + 7, PAGE), strerror(errno));
  printf("nothing: %d, %s\n", munmap(over, 0), strerror(errno));
  printf("too much: %d, %s\n", map(1ul << 50) == MAP_FAILED, strerror(errno));
  char *middle = over + 8 * PAGE + 100;
  printf("nowhere: %d, %s\n", mremap(middle, PAGE, 2 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED, strerror(errno));
  printf("to nowhere: %d, %s\n",
         mremap(grown, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, middle) == MAP_FAILED, strerror(errno));
  printf("over nowhere: %d, %s\n",
         mmap(middle, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED, strerror(errno));
  printf("over nothing: %d, %s\n",
         mmap(over, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED, strerror(errno));
  char *shared = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  printf("a second place: %d\n", mremap(shared, 0, 3 * PAGE, MREMAP_MAYMOVE) != MAP_FAILED);
  return 0;
}
