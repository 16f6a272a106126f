/* Programs that are careless with descriptors: argument `close` closes all above 2, as daemons do, `reuse` then opens
 * a file of its own (argument 2) at every number up to 1023, so that a library that still uses its old number would
 * write into it. `use-up` opens as many as it may. All allocate enough afterwards for the store to have to grow.
 * `chdir` leaves the folder it started in, first; `chroot` goes where there is neither /proc nor the store; `low`,
 * started without descriptors 0 to 2, finds these three free for its own file. Prints `live COUNT BYTES` (`low` into
 * the file).
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "program.h"

enum { BLOCKS = 200000 };

NOINLINE static void allocate(void) {
  void *volatile block = malloc(24);
  CHECK(block != NULL);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  struct rlimit limit = {.rlim_cur = 1024, .rlim_max = 1024};
  setrlimit(RLIMIT_NOFILE, &limit);
  if (strcmp(argv[1], "chdir") == 0) {
    CHECK(chdir("/") == 0);
  } else if (strcmp(argv[1], "chroot") == 0) {
    CHECK(chroot(argv[2]) == 0 && chdir("/") == 0 && access("/proc", F_OK) != 0);
  } else if (strcmp(argv[1], "use-up") == 0) {
    while (open("/dev/null", O_RDONLY) >= 0) continue;
  } else if (strcmp(argv[1], "low") == 0) {
    int file = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file != 0 || dup(file) != 1 || dup(file) != 2) _exit(97);
  } else {
    for (int i = 3; i < 1024; i++) close(i);
  }
  if (strcmp(argv[1], "reuse") == 0) {
    int file = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
    CHECK(file == 3);
    for (int i = 4; i < 1024; i++) CHECK(dup2(file, i) == i);
  }
  for (int i = 0; i < BLOCKS; i++) allocate();
  if (strcmp(argv[1], "reuse") == 0) {
    struct stat status;
    CHECK(fstat(3, &status) == 0 && status.st_size == 0 && status.st_blocks == 0);
    for (int i = 3; i < 1024; i++) CHECK(fcntl(i, F_GETFD) >= 0);
  }
  say("live %d %d\n", BLOCKS, BLOCKS * 24);
  return 0;
}
