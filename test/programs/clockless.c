/* Forbids itself to read the exact clock. Argument: `tsc`, reading the processor's counter raises a signal;
 * `tsc-syscall`, the same by syscall; `tsc-child`, a child of fork allocates then; `strict`, the strict seccomp mode,
 * in which every call but read, write and exit kills; `strict-syscall`, the same by syscall(SYS_seccomp). In each,
 * 100,000 blocks are allocated, and half of them stay. Prints `live COUNT`. */
#define _GNU_SOURCE 1
#include <linux/seccomp.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "program.h"

enum { BLOCKS = 100000 };

NOINLINE static void allocate(void) {
  for (int i = 0; i < BLOCKS; i++) {
    void *volatile block = malloc(24);
    CHECK(block != NULL);
    if (i % 2) free(block);
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  /* So that malloc itself needs no more of the kernel. */
  CHECK(mallopt(M_TOP_PAD, 64 << 20));
  free(malloc(100));
  const char *how = argv[1];
  if (strcmp(how, "tsc-syscall") == 0) CHECK(syscall(SYS_prctl, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) == 0);
  else if (strncmp(how, "tsc", 3) == 0) CHECK(prctl(PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0) == 0);
  else if (strcmp(how, "strict") == 0) CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0) == 0);
  else CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL) == 0);
  if (strcmp(how, "tsc-child") == 0) {
    pid_t child = fork();
    if (child) {
      int status;
      CHECK(waitpid(child, &status, 0) == child && status == 0);
      return 0;
    }
  }
  allocate();
  say("live %d\n", BLOCKS / 2);
  syscall(SYS_exit, 0);
}
