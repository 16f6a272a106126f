/* Every allocation function of the C library, by size and alignment; and functions that allocate for their caller.
 * A request that fails, or overflows, leaves no record and sets errno; one that succeeds leaves errno alone.
 * musl's own functions are usually built without frame information, so that there a stack may not lead out of them.
 *
 * live 1 x 101 heap by_malloc
 * live 1 x 91 heap by_calloc
 * live 1 x 103 heap by_realloc
 * live 1 x 105 heap by_reallocarray
 * live 2 x 107 heap by_memalign
 * live 5 x 109 heap by_posix_memalign
 * live 1 x 512 heap by_aligned_alloc
 * live 1 x 111 heap by_valloc
 * glibc live 1 x 113 heap by_pvalloc
 * glibc live 1 x 6 heap by_strdup via libc
 * glibc live 1 x 4 heap by_strndup via libc
 * glibc live 1 x * heap by_asprintf via libc
 * glibc live 1 x * heap by_getline via libc
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <malloc.h>

#include "program.h"

static void check_aligned(void *block, size_t alignment) { CHECK((uintptr_t)block % alignment == 0); }

NOINLINE static void by_malloc(void) { keep(malloc(101), 101); }

NOINLINE static void by_calloc(void) {
  unsigned char *block = calloc(7, 13);
  for (int i = 0; i < 91; i++) CHECK(block[i] == 0);
  keep(block, 91);
}

NOINLINE static void by_realloc(void) { keep(realloc(NULL, 103), 103); }

NOINLINE static void by_reallocarray(void) { keep(reallocarray(NULL, 5, 21), 105); }

NOINLINE static void by_memalign(void) {
  check_aligned(keep(memalign(64, 107), 107), 64);
  check_aligned(keep(memalign(1048576, 107), 107), 1048576);
}

NOINLINE static void by_posix_memalign(void) {
  for (size_t alignment = sizeof(void *); alignment <= 32768; alignment *= 8) {
    void *block = NULL;
    CHECK(posix_memalign(&block, alignment, 109) == 0);
    check_aligned(keep(block, 109), alignment);
  }
}

NOINLINE static void by_aligned_alloc(void) { check_aligned(keep(aligned_alloc(256, 512), 512), 256); }

NOINLINE static void by_valloc(void) { check_aligned(keep(valloc(111), 111), (size_t)sysconf(_SC_PAGESIZE)); }

#ifdef __GLIBC__
NOINLINE static void by_pvalloc(void) { check_aligned(keep(pvalloc(113), 113), (size_t)sysconf(_SC_PAGESIZE)); }
#endif

NOINLINE static void by_strdup(void) { keep(strdup("hello"), 6); }

NOINLINE static void by_strndup(void) { keep(strndup("hello", 3), 4); }

static char *volatile text;

NOINLINE static void by_asprintf(void) {
  char *line = NULL;
  CHECK(asprintf(&line, "%d bottles", 99) == 10);
  CHECK(strcmp(line, "99 bottles") == 0);
  text = line;
}

NOINLINE static void by_getline(void) {
  FILE *file = fopen("/proc/self/status", "r");
  char *line = NULL;
  size_t size = 0;
  CHECK(file != NULL && getline(&line, &size, file) > 0);
  CHECK(strncmp(line, "Name:", 5) == 0);
  fclose(file);
  text = line;
}

NOINLINE static void requests_that_fail(void) {
  volatile size_t most = (size_t)PTRDIFF_MAX, half = (size_t)1 << (sizeof(size_t) * 4);
  void *block = NULL;
  errno = 0;
  CHECK(malloc(most) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(calloc(half, half) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(calloc(most, 1) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(realloc(NULL, most) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(reallocarray(NULL, half, half) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(memalign(64, most) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(aligned_alloc(64, most) == NULL && errno == ENOMEM);
  errno = 0;
  CHECK(valloc(most) == NULL && errno == ENOMEM);
#ifdef __GLIBC__
  errno = 0;
  CHECK(pvalloc(most) == NULL && errno == ENOMEM);
#endif
  CHECK(posix_memalign(&block, 64, most) == ENOMEM && block == NULL);
  CHECK(posix_memalign(&block, 3, 100) == EINVAL && block == NULL);
  CHECK(posix_memalign(&block, 24, 100) == EINVAL && block == NULL);
  CHECK(posix_memalign(&block, 0, 100) == EINVAL && block == NULL);
}

/* What libc makes of an alignment that is none differs; whatever it returns can be freed, and leaves no record. */
NOINLINE static void misaligned_requests(void) {
  volatile size_t odd = 3, larger = 48;
  free(memalign(odd, 100));
  free(memalign(larger, 100));
  free(aligned_alloc(odd, 100));
  free(aligned_alloc(larger, 7));
}

NOINLINE static void errno_stays(void) {
  errno = 4711;
  void *block = malloc(1000);
  CHECK(errno == 4711);
  block = realloc(block, 100000);
  CHECK(errno == 4711);
  free(block);
  CHECK(errno == 4711);
  CHECK(posix_memalign(&block, 64, 100) == 0 && errno == 4711);
  free(block);
  free(calloc(10, 10));
  CHECK(errno == 4711);
}

NOINLINE static void usable_size(void) {
  void *block = malloc(100);
  CHECK(malloc_usable_size(block) >= 100);
  free(block);
}

int main(void) {
  by_malloc();
  by_calloc();
  by_realloc();
  by_reallocarray();
  by_memalign();
  by_posix_memalign();
  by_aligned_alloc();
  by_valloc();
#ifdef __GLIBC__
  by_pvalloc();
#endif
  by_strdup();
  by_strndup();
  by_asprintf();
  by_getline();
  requests_that_fail();
  misaligned_requests();
  errno_stays();
  usable_size();
  return 0;
}
