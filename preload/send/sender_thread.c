/* The sender's thread: making it without libc, its own descriptors, and its user, which follows the process's. */
#include <errno.h>
#include <linux/sched.h>

#include "sender_parts.h"
#include "../base/sys.h"
#include "../base/text.h"

void mh_thread_close_descriptors(void) {
  if (mh_syscall(SYS_close_range, 0, UINT32_MAX, 0, 0, 0, 0) == 0) return;
  struct {
    uint64_t soft, hard;
  } limit = {1024, 1024};
  mh_syscall(SYS_prlimit64, 0, 7 /* RLIMIT_NOFILE */, 0, (long)&limit, 0, 0);
  for (int fd = 0; fd < (limit.soft < 65536 ? (int)limit.soft : 65536); fd++) mh_close(fd);
}

bool mh_thread_belongs_here(void) {
  char *text = mh_sender.area->text;
  uint64_t threads, users[3], groups[3], effective;
  if (mh_read_file("/proc/self/status", text, sizeof(mh_sender.area->text)) < 0) return true;
  if (mh_status_number(text, "\nThreads:", 0, &threads) && threads == 1) return false;
  for (unsigned i = 0; i < 3; i++)
    if (!mh_status_number(text, "\nUid:", i, &users[i]) || !mh_status_number(text, "\nGid:", i, &groups[i]))
      return true;
  effective = (uint64_t)mh_syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
  if (effective == users[1]) return true;
  if (effective == 0) mh_syscall(SYS_setgroups, 0, 0, 0, 0, 0, 0);
  mh_syscall(SYS_setresgid, (long)groups[0], (long)groups[1], (long)groups[2], 0, 0, 0);
  return mh_syscall(SYS_setresuid, (long)users[0], (long)users[1], (long)users[2], 0, 0, 0) == 0;
}

long mh_thread_clone(void (*run)(void), void *stack_end, void *thread_pointer, uint32_t *tid) {
  enum {
    FLAGS = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
            CLONE_CHILD_CLEARTID
  };
  const long call[7] = {SYS_clone, FLAGS, (long)stack_end, (long)tid};
  if (mh_syscall_forbidden && mh_syscall_forbidden(call)) return -EPERM;
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = (long)tid;
  register long r8 __asm__("r8") = (long)thread_pointer;
  register long r12 __asm__("r12") = (long)run;
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "call *%%r12\n\t"
      "movl %[leave], %%eax\n\t"
      "xorl %%edi, %%edi\n\t"
      "syscall\n"
      "1:"
      : "=a"(result)
      : "a"((long)SYS_clone), "D"((long)FLAGS), "S"(stack_end), "d"(tid), "r"(r10), "r"(r8), "r"(r12),
        [leave] "i"(SYS_exit)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = SYS_clone;
  register long x0 __asm__("x0") = FLAGS;
  register long x1 __asm__("x1") = (long)stack_end;
  register long x2 __asm__("x2") = (long)tid;
  register long x3 __asm__("x3") = (long)thread_pointer;
  register long x4 __asm__("x4") = (long)tid;
  __asm__ volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"
      "mov x30, #0\n\t"
      "blr %[main]\n\t"
      "mov x8, %[leave]\n\t"
      "mov x0, #0\n\t"
      "svc 0\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), [leave] "i"(SYS_exit), [main] "r"(run)
      : "memory");
  return x0;
#endif
}
