/* The main thread ends, and another one goes on. The process is alive, but looks like one that has ended (state Z in
 * /proc/PID/stat). Prints `ready` when the main thread is gone, and ends at the end of its input. Meanwhile nobody may
 * replace its store, which has:
 *
 * live 1 x 1000 heap work
 */
#include <pthread.h>

#include "program.h"

static pthread_t first;

NOINLINE static void *work(void *unused) {
  (void)unused;
  char line[64];
  void *volatile block = malloc(1000);
  CHECK(block != NULL && pthread_join(first, NULL) == 0);
  say("ready\n");
  while (read(STDIN_FILENO, line, sizeof line) > 0) {
  }
  exit(0);
}

int main(void) {
  pthread_t thread;
  first = pthread_self();
  CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
  pthread_exit(NULL);
}
