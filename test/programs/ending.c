/* Every way for a process to end. Argument: which. All leave the same behind, the end's own allocations apart:
 *
 * live 10 x 100 heap leak
 * live 1 x 50 heap leak_late
 *
 * leak_late is called as late as the way of ending allows: by an atexit handler, else right before.
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "program.h"

NOINLINE static void leak(void) {
  for (int i = 0; i < 10; i++) keep(malloc(100), 100);
}

NOINLINE static void leak_late(void) { keep(malloc(50), 50); }

static pthread_barrier_t running;

static void *run_on(void *unused) {
  (void)unused;
  pthread_barrier_wait(&running);
  for (;;) {
    void *volatile block = malloc(10);
    free(block);
  }
}

static void *exit_here(void *unused) {
  exit(5);
  return unused;
}

static void *leave_later(void *main_thread) {
  CHECK(pthread_join(*(pthread_t *)main_thread, NULL) == 0);
  leak_late();
  return NULL;
}

/* With a child that has allocated, and a grandchild; prints `child PID`. */
static void kill_group(void) {
  int ready[2];
  CHECK(pipe(ready) == 0);
  pid_t child = fork();
  if (child == 0) {
    void *volatile block = malloc(60);
    CHECK(block != NULL);
    if (fork() == 0) block = malloc(70);
    CHECK(write(ready[1], "x", 1) == 1);
    for (;;) pause();
  }
  char byte;
  CHECK(child > 0 && read(ready[0], &byte, 1) == 1 && read(ready[0], &byte, 1) == 1);
  say("child %d\n", (int)child);
  kill(0, SIGKILL);
}

/* With an instruction of its own, as Go does, past every hook. */
static void exit_group_itself(void) {
#if defined(__x86_64__)
  __asm__ volatile("syscall" ::"a"(SYS_exit_group), "D"(5) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long number __asm__("x8") = SYS_exit_group, status __asm__("x0") = 5;
  __asm__ volatile("svc 0" ::"r"(number), "r"(status) : "memory");
#endif
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  static const struct rlimit no_core;
  setrlimit(RLIMIT_CORE, &no_core);
  const char *how = argv[1];
  leak();
  static pthread_t main_thread;
  main_thread = pthread_self();
  pthread_t thread;
  if (strcmp(how, "return") == 0) {
    CHECK(atexit(leak_late) == 0);
    return 5;
  }
  if (strcmp(how, "exit") == 0) {
    CHECK(atexit(leak_late) == 0);
    exit(5);
  }
  if (strcmp(how, "quick_exit") == 0) {
    CHECK(at_quick_exit(leak_late) == 0);
    quick_exit(5);
  }
  if (strcmp(how, "exit-in-thread") == 0) {
    CHECK(atexit(leak_late) == 0);
    CHECK(pthread_create(&thread, NULL, exit_here, NULL) == 0);
    for (;;) pause();
  }
  if (strcmp(how, "main-thread-leaves") == 0) {
    CHECK(pthread_create(&thread, NULL, leave_later, &main_thread) == 0);
    pthread_exit(NULL);
  }
  if (strcmp(how, "return-while-threads-run") == 0) {
    pthread_barrier_init(&running, NULL, 4);
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&thread, NULL, run_on, NULL) == 0);
    pthread_barrier_wait(&running);
    CHECK(atexit(leak_late) == 0);
    return 5;
  }
  leak_late();
  if (strcmp(how, "_exit") == 0) _exit(5);
  if (strcmp(how, "_Exit") == 0) _Exit(5);
  if (strcmp(how, "exit_group") == 0) syscall(SYS_exit_group, 5);
  if (strcmp(how, "exit-alone") == 0) syscall(SYS_exit, 5);
  if (strcmp(how, "exit_group-itself") == 0) exit_group_itself();
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "SIGTERM") == 0) raise(SIGTERM);
  if (strcmp(how, "SIGKILL") == 0) raise(SIGKILL);
  if (strcmp(how, "SIGKILL-group") == 0) kill_group();
  if (strcmp(how, "SIGSEGV") == 0) *(volatile int *)(uintptr_t)(argc - 2) = 1;
  CHECK(!"an ending");
}
