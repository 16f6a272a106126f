/* Under resource limits of its own: argument 1 names the limit (as, fsize, nofile, stack), argument 2 is its value. It
 * allocates BLOCKS, or until there is no more memory, frees half, and checks the rest. It always ends with status 0;
 * SIGXFSZ and SIGBUS would kill it.
 */
#include <errno.h>
#include <sys/resource.h>

#include "program.h"

enum { BLOCKS = 50000 };

static unsigned char *blocks[BLOCKS];

NOINLINE static unsigned char *allocate(size_t size) {
  unsigned char *volatile block = malloc(size);
  return block;
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  int resource = strcmp(argv[1], "as") == 0      ? RLIMIT_AS
                 : strcmp(argv[1], "fsize") == 0 ? RLIMIT_FSIZE
                                                 : RLIMIT_NOFILE;
  struct rlimit limit = {.rlim_cur = (rlim_t)atol(argv[2]), .rlim_max = (rlim_t)atol(argv[2])};
  CHECK(setrlimit(resource, &limit) == 0);
  int got = 0;
  for (; got < BLOCKS; got++) {
    errno = 0;
    blocks[got] = allocate(600);
    if (blocks[got] == NULL) break;
    memset(blocks[got], got, 600);
  }
  CHECK(got == BLOCKS || errno == ENOMEM);
  CHECK(resource == RLIMIT_AS || got == BLOCKS);
  for (int i = 0; i < got; i += 2) free(blocks[i]);
  for (int i = 1; i < got; i += 2)
    for (int k = 0; k < 600; k++) CHECK(blocks[i][k] == (unsigned char)i);
  say("done\n");
  return 0;
}
