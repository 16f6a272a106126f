/* Calls of exec that fail, again and again, while a thread allocates and frees: each notes an end that does not come,
 * and counts what all threads have, whatever they are in the middle of. Argument: how many. At most one block of the
 * thread is live at any time. */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "program.h"

static atomic_int done;

static void *work(void *unused) {
  while (!done)
    for (int i = 0; i < 64; i++) {
      void *volatile block = malloc(24);
      free(block);
    }
  return unused;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
  char *words[] = {"absent", NULL};
  for (int i = 0, wanted = atoi(argv[1]); i < wanted; i++) CHECK(execve("/absent/absent", words, words) == -1);
  done = 1;
  CHECK(pthread_join(thread, NULL) == 0);
  return 0;
}
