/* A sandbox around itself: a seccomp filter that kills for everything that the program does not need. Argument: `prctl`
 * or `syscall`, the two ways to install it, or `threads`, for all threads. Memhook cannot let its store grow any more,
 * and has to say so. Prints `live COUNT BYTES`.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "program.h"

enum { BLOCKS = 200000 };

NOINLINE static void allocate(void) {
  void *volatile block = malloc(24);
  CHECK(block != NULL);
}

#define MAY(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

int main(int argc, char **argv) {
  CHECK(argc == 2);
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      MAY(SYS_write),      MAY(SYS_exit_group), MAY(SYS_brk),   MAY(SYS_mmap),      MAY(SYS_munmap),
      MAY(SYS_rt_sigreturn), MAY(SYS_prctl),    MAY(SYS_seccomp), MAY(SYS_futex),
      /* One that fails is harmless, and tells that a filter's errors are let through. */
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpriority, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
  for (int i = 0; i < 100; i++) allocate();
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  /* One that is refused changes nothing. */
  errno = 0;
  CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1 && errno == EFAULT);
  if (strcmp(argv[1], "prctl") == 0)
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
  else
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, strcmp(argv[1], "threads") == 0 ? SECCOMP_FILTER_FLAG_TSYNC : 0,
        &program) == 0);
  errno = 0;
  CHECK(syscall(SYS_getpriority, 0, 0) == -1 && errno == EXDEV);
  for (int i = 100; i < BLOCKS; i++) allocate();
  say("live %d %d\n", BLOCKS, BLOCKS * 24);
  return 0;
}
