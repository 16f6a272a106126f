/* Forks while another thread is in a callback of dl_iterate_phdr, as when it unwinds its stack, and calls dlsym in the
 * child. The child ends. An argument is a library to load first.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "program.h"

static int inside, forked;

static int wait_inside(struct dl_phdr_info *info, size_t bytes, void *unused) {
  (void)info, (void)bytes, (void)unused;
  __atomic_store_n(&inside, 1, __ATOMIC_RELEASE);
  while (!__atomic_load_n(&forked, __ATOMIC_ACQUIRE)) sched_yield();
  return 1;
}

static void *iterate(void *unused) {
  dl_iterate_phdr(wait_inside, unused);
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t thread;
  CHECK(argc == 2 && dlopen(argv[1], RTLD_NOW) != NULL);
  CHECK(pthread_create(&thread, NULL, iterate, NULL) == 0);
  while (!__atomic_load_n(&inside, __ATOMIC_ACQUIRE)) sched_yield();
  pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(dlsym(RTLD_DEFAULT, "printf") == NULL);
  }
  __atomic_store_n(&forked, 1, __ATOMIC_RELEASE);
  int status;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  say("ended\n");
  return 0;
}
