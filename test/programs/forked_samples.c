/* Children of one process that leak alike. Arguments: how they are forked (fork, _Fork, syscall: by libc's function of
 * that name, clone: by an instruction of the program's own), how many, and how many blocks of 4096 bytes each leaks,
 * from `leak`. A sample falls into each child by itself, and one into which none falls has no store.
 */
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "program.h"

pid_t _Fork(void) __attribute__((weak)); /* newer than some C libraries; memhook has it then */

static void *volatile last;

NOINLINE static void leak(int blocks) {
  for (int i = 0; i < blocks; i++) {
    last = malloc(4096);
    CHECK(last != NULL);
  }
}

/* As a runtime without a C library does it. */
static pid_t clone_by_instruction(void) {
#if defined(__x86_64__)
  long result = SYS_clone;
  register long tls __asm__("r8") = 0;
  register long child_tid __asm__("r10") = 0;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"((long)SIGCHLD), "S"(0L), "d"(0L), "r"(child_tid), "r"(tls)
                   : "rcx", "r11", "memory");
  return (pid_t)result;
#else
  register long number __asm__("x8") = SYS_clone;
  register long result __asm__("x0") = SIGCHLD;
  register long stack __asm__("x1") = 0, parent_tid __asm__("x2") = 0, tls __asm__("x3") = 0,
      child_tid __asm__("x4") = 0;
  __asm__ volatile("svc 0" : "+r"(result) : "r"(number), "r"(stack), "r"(parent_tid), "r"(tls), "r"(child_tid)
      : "memory");
  return (pid_t)result;
#endif
}

static pid_t make_child(const char *way) {
  if (strcmp(way, "fork") == 0) return fork();
  if (strcmp(way, "_Fork") == 0) return _Fork();
  if (strcmp(way, "syscall") == 0) return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
  CHECK(strcmp(way, "clone") == 0);
  return clone_by_instruction();
}

int main(int argc, char **argv) {
  CHECK(argc == 4);
  leak(1);
  for (int i = 0; i < atoi(argv[2]); i++) {
    pid_t child = make_child(argv[1]);
    CHECK(child >= 0);
    if (child == 0) {
      leak(atoi(argv[3]));
      _exit(0);
    }
    CHECK(waitpid(child, NULL, 0) == child);
  }
  return 0;
}
