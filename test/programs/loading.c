/* A thread that loads a module has the loader's lock while the module's constructor runs. This one (-DPLUGIN) sends a
 * signal to the thread that waits for that lock, to load something else, and waits until its handler has run.
 *
 * Arguments: a C++ library, which is loaded first, for everybody; and the
 * plugin. Prints `handled`, or `held back` after three seconds.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "program.h"

struct loading {
  volatile int constructing, waits, handled;
  pid_t waiting;
};

#ifdef PLUGIN
extern struct loading loading;

static char state_of(pid_t thread) {
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
  int file = open(path, O_RDONLY);
  CHECK(file >= 0 && read(file, text, sizeof text - 1) > 0 && close(file) == 0);
  return strrchr(text, ')')[2];
}

__attribute__((constructor)) static void construct(void) {
  loading.constructing = 1;
  while (!loading.waits || state_of(loading.waiting) != 'S') syscall(SYS_sched_yield);
  syscall(SYS_tgkill, getpid(), loading.waiting, SIGUSR1);
  time_t end = time(NULL) + 3;
  while (!loading.handled && time(NULL) < end) syscall(SYS_sched_yield);
  say(loading.handled ? "handled\n" : "held back\n");
}
#else
extern struct loading loading;
struct loading loading;

static void handler(int signal) {
  (void)signal;
  loading.handled = 1;
}

static void *load(void *plugin) {
  CHECK(dlopen(plugin, RTLD_NOW) != NULL);
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc == 3 && dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL) != NULL);
  loading.waiting = (pid_t)syscall(SYS_gettid);
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, load, argv[2]) == 0);
  while (!loading.constructing) syscall(SYS_sched_yield);
  loading.waits = 1;
  CHECK(dlopen(argv[2], RTLD_NOW) != NULL);
  CHECK(pthread_join(thread, NULL) == 0);
  return 0;
}
#endif
