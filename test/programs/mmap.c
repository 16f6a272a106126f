/* Anonymous mappings: each is a block of its own kind. Unmapping a part splits it, and the other parts stay. In units
 * of 64 KiB, which is a whole number of pages everywhere. With -DMAP_BY_SYSCALL and -DUNMAP_BY_SYSCALL libc's syscall
 * is called for that.
 *
 * live 1 x 262144 mmap map_whole
 * live 1 x 196608 mmap map_shared
 * live 1 x 65536 mmap map_with_mmap64
 * live 1 x 196608 mmap cut_start
 * live 1 x 196608 mmap cut_end
 * live 2 x 131072 mmap cut_middle
 * live 3 x 65536 mmap cut_into_crumbs
 * live 1 x 393216 mmap grow_by_remapping
 * live 1 x 65536 mmap shrink_by_remapping
 * live 1 x 131072 mmap move_by_remapping
 * live 1 x 65536 mmap map_below
 * live 1 x 131072 mmap map_below
 * live 1 x 65536 mmap map_over
 * live 2 x 65536 mmap map_two_neighbours
 * live 2 x 65536 mmap map_under_a_file
 * live 1 x 131072 mmap unmapping_that_fails
 */
#define _GNU_SOURCE 1
#define _LARGEFILE64_SOURCE 1 /* mmap64, in musl */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "program.h"

#ifdef MAP_BY_SYSCALL
#define mmap(...) ((void *)syscall(SYS_mmap, __VA_ARGS__))
#define mmap64 mmap
#define mremap(...) ((void *)syscall(SYS_mremap, __VA_ARGS__))
#endif
#ifdef UNMAP_BY_SYSCALL
#define munmap(...) ((int)syscall(SYS_munmap, __VA_ARGS__))
#endif

#define UNIT ((size_t)65536)

/* Inlined into each function, so that the function itself is the caller of mmap. */
static inline __attribute__((always_inline)) char *map(size_t units) {
  char *region = mmap(NULL, units * UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(region != MAP_FAILED);
  return region;
}

static void unmap(char *region, size_t from, size_t units) { CHECK(munmap(region + from * UNIT, units * UNIT) == 0); }

static void keep_units(char *region, size_t from, size_t units) { keep(region + from * UNIT, units * UNIT); }

NOINLINE static void map_whole(void) { keep_units(map(4), 0, 4); }

NOINLINE static void map_shared(void) {
  keep(mmap(NULL, 3 * UNIT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), 3 * UNIT);
}

NOINLINE static void map_with_mmap64(void) {
  keep(mmap64(NULL, UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), UNIT);
}

NOINLINE static void map_and_unmap(void) {
  for (int i = 0; i < 100; i++) unmap(map(3), 0, 3);
}

NOINLINE static void cut_start(void) {
  char *region = map(4);
  unmap(region, 0, 1);
  keep_units(region, 1, 3);
}

NOINLINE static void cut_end(void) {
  char *region = map(4);
  unmap(region, 3, 1);
  keep_units(region, 0, 3);
}

NOINLINE static void cut_middle(void) {
  char *region = map(5);
  unmap(region, 2, 1);
  keep_units(region, 0, 2);
  keep_units(region, 3, 2);
}

NOINLINE static void cut_into_crumbs(void) {
  char *region = map(7);
  unmap(region, 0, 1);
  unmap(region, 2, 1);
  unmap(region, 4, 1);
  unmap(region, 6, 1);
  for (size_t i = 1; i < 7; i += 2) keep_units(region, i, 1);
}

NOINLINE static void grow_by_remapping(void) {
  char *region = map(2);
  region[0] = 7;
  region = mremap(region, 2 * UNIT, 6 * UNIT, MREMAP_MAYMOVE);
  CHECK(region != MAP_FAILED && region[0] == 7);
  keep_units(region, 0, 6);
}

NOINLINE static void shrink_by_remapping(void) {
  char *region = map(5);
  CHECK(mremap(region, 5 * UNIT, UNIT, 0) == region);
  keep_units(region, 0, 1);
}

/* Moved to a chosen place, which is part of another mapping that it replaces. */
NOINLINE static void move_by_remapping(void) {
  char *target = map(2), *region = map(2);
  CHECK(mremap(region, 2 * UNIT, 2 * UNIT, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
  keep_units(target, 0, 2);
}

NOINLINE static char *map_below(void) { return map(4); }

NOINLINE static void map_over(void) {
  char *region = map_below();
  char *middle = mmap(region + UNIT, UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  CHECK(middle == region + UNIT);
  keep_units(region, 0, 1);
  keep_units(region, 1, 1);
  keep_units(region, 2, 2);
}

/* One munmap takes the end of one mapping and the start of the next. */
NOINLINE static void map_two_neighbours(void) {
  char *area = map(4);
  for (size_t i = 0; i < 4; i += 2) {
    CHECK(mmap(area + i * UNIT, 2 * UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
          area + i * UNIT);
  }
  unmap(area, 1, 2);
  keep_units(area, 0, 1);
  keep_units(area, 3, 1);
}

/* A mapped file is no allocation, but it takes the place of one. */
NOINLINE static void map_under_a_file(void) {
  char *region = map(3);
  int file = open("/proc/self/exe", O_RDONLY);
  CHECK(file >= 0);
  CHECK(mmap(region + UNIT, UNIT, PROT_READ, MAP_PRIVATE | MAP_FIXED, file, 0) == region + UNIT);
  CHECK(mmap(NULL, UNIT, PROT_READ, MAP_PRIVATE, file, 0) != MAP_FAILED);
  close(file);
  keep_units(region, 0, 1);
  keep_units(region, 2, 1);
}

NOINLINE static void unmapping_that_fails(void) {
  char *region = map(2);
  errno = 0;
  CHECK(munmap(region + 1, UNIT) == -1 && errno == EINVAL);
  keep_units(region, 0, 2);
}

NOINLINE static void mappings_that_fail(void) {
  volatile size_t nothing = 0, most = (size_t)PTRDIFF_MAX & ~(UNIT - 1);
  errno = 0;
  CHECK(mmap(NULL, nothing, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
  errno = 0;
  CHECK(mmap(NULL, most, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == ENOMEM);
  errno = 0;
  CHECK(mmap(NULL, UNIT, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
}

int main(void) {
  map_whole();
  map_shared();
  map_with_mmap64();
  map_and_unmap();
  cut_start();
  cut_end();
  cut_middle();
  cut_into_crumbs();
  grow_by_remapping();
  shrink_by_remapping();
  move_by_remapping();
  map_over();
  map_two_neighbours();
  map_under_a_file();
  unmapping_that_fails();
  mappings_that_fail();
  return 0;
}
