/* A disk quota: beyond BYTES (argument 1) a file cannot grow, and the call returns EDQUOT. Few machines have a file
 * system with quotas, so a seccomp filter returns that error. The program allocates BLOCKS of 24 bytes, frees every
 * second one, and prints `live COUNT BYTES`.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "program.h"

enum { BLOCKS = 200000 };

static void *blocks[BLOCKS];

NOINLINE static void *allocate(void) {
  void *volatile block = malloc(24);
  CHECK(block != NULL);
  return block;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pwrite64, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])), /* the offset, its lower half */
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)atol(argv[1]), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDQUOT),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
  errno = 0;
  CHECK(pwrite(-1, "", 1, 1 << 30) == -1 && errno == EDQUOT);
  for (int i = 0; i < BLOCKS; i++) blocks[i] = allocate();
  CHECK(errno == EDQUOT);
  for (int i = 0; i < BLOCKS; i += 2) free(blocks[i]);
  say("live %d %d\n", BLOCKS / 2, BLOCKS / 2 * 24);
  return 0;
}
