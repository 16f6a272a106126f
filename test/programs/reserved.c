/* Reservations: addresses that are mapped without access are no memory. Parts of them become memory, and are reserved
 * again. In units of 64 KiB, which is a whole number of pages everywhere. With -DPROTECT_BY_SYSCALL libc's syscall is
 * called for that. Prints `child PID`: the child makes another unit of its parent's reservation accessible, and takes
 * the access to the accessible one away. Its table is the same. In both processes 1048597 units are reserved at the
 * end.
 *
 * live 1 x 131072 mmap open_some
 * live 2 x 65536 mmap open_twice
 * live 2 x 65536 mmap close_middle
 * live 1 x 65536 mmap unmap_across
 * live 1 x 65536 mmap open_what_is_left
 * live 1 x 65536 mmap map_over
 * live 1 x 131072 mmap move_by_remapping
 * live 1 x 65536 mmap open_two_neighbours
 * live 1 x 65536 mmap open_other_neighbour
 * live 1 x 65536 mmap unmapping_that_fails
 * live 1 x 65536 mmap reserve_for_child
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "program.h"

#ifdef PROTECT_BY_SYSCALL
#define mprotect(...) ((int)syscall(SYS_mprotect, __VA_ARGS__))
#endif

#define UNIT ((size_t)65536)

/* Inlined into each function, so that the function itself is the caller of mmap. */
static inline __attribute__((always_inline)) char *map(void *where, size_t units, int protection) {
  int fixed = where ? MAP_FIXED : 0;
  char *region = mmap(where, units * UNIT, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
  CHECK(region != MAP_FAILED);
  return region;
}
static inline __attribute__((always_inline)) char *reserve(size_t units) { return map(NULL, units, PROT_NONE); }

static void protect(char *region, size_t from, size_t units, int protection) {
  CHECK(mprotect(region + from * UNIT, units * UNIT, protection) == 0);
}
static void open_units(char *region, size_t from, size_t units) {
  protect(region, from, units, PROT_READ | PROT_WRITE);
}
static void close_units(char *region, size_t from, size_t units) { protect(region, from, units, PROT_NONE); }

static void keep_units(char *region, size_t from, size_t units) { keep(region + from * UNIT, units * UNIT); }

NOINLINE static void reserve_much(void) {
  char *region = reserve(1 << 20);
  close_units(region, 1, 2);
}

NOINLINE static void open_some(void) {
  char *region = reserve(8);
  open_units(region, 2, 2);
  open_units(region, 2, 2); /* as it is */
  protect(region, 2, 1, PROT_READ);
  open_units(region, 2, 1);
  keep_units(region, 2, 2);
}

NOINLINE static void open_twice(void) {
  char *region = reserve(2);
  open_units(region, 1, 1);
  open_units(region, 0, 2);
  keep_units(region, 0, 1);
  keep_units(region, 1, 1);
}

NOINLINE static void close_all(void) {
  char *region = map(NULL, 3, PROT_READ | PROT_WRITE);
  close_units(region, 0, 3);
  open_units(region, 1, 1);
  close_units(region, 0, 2);
}

NOINLINE static void close_middle(void) {
  char *region = map(NULL, 3, PROT_READ | PROT_WRITE);
  close_units(region, 1, 1);
  keep_units(region, 0, 1);
  keep_units(region, 2, 1);
}

/* A munmap that takes the end of what is reserved and the start of what is open. */
NOINLINE static char *unmap_across(void) {
  char *region = reserve(5);
  open_units(region, 2, 2);
  CHECK(munmap(region + UNIT, 2 * UNIT) == 0);
  keep_units(region, 3, 1);
  return region;
}

NOINLINE static void open_what_is_left(void) {
  char *region = reserve(3);
  CHECK(munmap(region + UNIT, UNIT) == 0);
  open_units(region, 2, 1);
  keep_units(region, 2, 1);
}

/* Memory by a mapping in what is reserved, and addresses alone by one over memory. */
NOINLINE static void map_over(void) {
  char *region = reserve(4);
  map(region + UNIT, 2, PROT_READ | PROT_WRITE);
  map(region + UNIT, 1, PROT_NONE);
  keep_units(region, 2, 1);
}

NOINLINE static void move_by_remapping(void) {
  char *target = map(NULL, 4, PROT_READ | PROT_WRITE), *region = reserve(4);
  CHECK(mremap(region, 4 * UNIT, 4 * UNIT, MREMAP_MAYMOVE | MREMAP_FIXED, target) == target);
  open_units(target, 1, 2);
  keep_units(target, 1, 2);
}

NOINLINE static char *open_two_neighbours(void) { return reserve(2); }

/* One mprotect opens the end of one mapping and the start of the next: to each its own. */
NOINLINE static void open_other_neighbour(void) {
  char *area = open_two_neighbours();
  map(area + UNIT, 1, PROT_NONE);
  open_units(area, 0, 2);
  keep_units(area, 0, 1);
  keep_units(area, 1, 1);
}

/* Nothing is mapped behind the two units: a call for more changes these, fails
 * there, and so leaves the libraries' mappings alone. */
NOINLINE static void unmapping_that_fails(void) {
  char *region = reserve(3);
  CHECK(munmap(region + 2 * UNIT, UNIT) == 0);
  CHECK(munmap(region + 1, UNIT) == -1 && errno == EINVAL);
  CHECK(mprotect(region + 1, UNIT, PROT_READ) == -1 && errno == EINVAL);
  CHECK(mprotect(region, (size_t)PTRDIFF_MAX & ~(UNIT - 1), PROT_READ | PROT_WRITE) == -1 && errno == ENOMEM);
  close_units(region, 0, 2);
  open_units(region, 1, 1);
  keep_units(region, 1, 1);
}

NOINLINE static char *reserve_for_child(void) { return reserve(3); }

int main(void) {
  reserve_much();
  open_some();
  open_twice();
  close_all();
  close_middle();
  unmap_across();
  open_what_is_left();
  map_over();
  move_by_remapping();
  open_other_neighbour();
  unmapping_that_fails();
  char *reserved = reserve_for_child();
  open_units(reserved, 0, 1);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child == 0) {
    open_units(reserved, 2, 1);
    close_units(reserved, 0, 1);
    _exit(0);
  }
  CHECK(waitpid(child, NULL, 0) == child);
  say("child %d\n", (int)child);
  return 0;
}
