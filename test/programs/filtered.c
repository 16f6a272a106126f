/* A launcher that makes a sandbox for another program: installs a seccomp filter that kills, and becomes the program,
 * with the library in its environment from there on. Arguments: `loader` allows what a dynamic loader, libc and a plain
 * program need; `memhook` what memhook needs besides. Then LIBRARY, PROGRAM and its arguments.
 */
#define _GNU_SOURCE 1
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "program.h"

static const int for_a_program[] = {
#ifdef SYS_access
    SYS_access, SYS_arch_prctl, SYS_readlink,
#endif
    SYS_execve,  SYS_brk,       SYS_close,           SYS_faccessat,       SYS_fstat, SYS_getrandom, SYS_mmap,
        SYS_mprotect,
    SYS_munmap,  SYS_openat,    SYS_newfstatat,      SYS_pread64,         SYS_read,  SYS_prlimit64, SYS_write,
        SYS_exit_group,
    SYS_futex,   334 /* rseq, of x86_64 */, 293 /* rseq, of aarch64 */,  SYS_set_robust_list, SYS_set_tid_address,
};
static const int for_memhook[] = {
    SYS_fallocate,        SYS_fcntl,      SYS_flock, SYS_getpid, SYS_gettid,         SYS_madvise,
    SYS_process_vm_readv, SYS_readlinkat, SYS_kill,  SYS_tgkill, SYS_rt_sigprocmask, SYS_unlinkat, SYS_rt_sigpending,
    SYS_clock_gettime, /* where there is no vDSO */
};

static struct sock_filter code[256];
static unsigned short length;

static void add(struct sock_filter step) { code[length++] = step; }

static void allow(const int *calls, size_t count) {
  for (size_t i = 0; i < count; i++) {
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i], 0, 1));
    add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
}

int main(int argc, char **argv) {
  CHECK(argc >= 4 && setenv("LD_PRELOAD", argv[2], 1) == 0);
  add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
  allow(for_a_program, sizeof for_a_program / sizeof *for_a_program);
  if (strcmp(argv[1], "memhook") == 0) allow(for_memhook, sizeof for_memhook / sizeof *for_memhook);
  add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
  struct sock_fprog program = {.len = length, .filter = code};
  CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
  execv(argv[3], argv + 3);
  return 1;
}
