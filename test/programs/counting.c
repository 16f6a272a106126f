/* A program that is watched, and killed, while it runs. Two ways to say what is true:
 *
 *   counting steps IN OUT       allocates and frees at random, writes `COUNT BYTES\n` to descriptor OUT, then waits for
 *                               a byte on descriptor IN: at that point the count is exact. Ends with status 3 when IN
 *                               ends.
 *   counting free THREADS FILE  never stops; FILE, mapped shared, tells at every instant what is live: slots of
 *                               {address, size, state}. State 1 is an allocation in flight, 2 live, 3 a free in flight.
 *                               Writes one line to standard output once all threads are at work.
 *
 * A shared mapping outlives the process, and what was stored in it before the kill is there after it. The test
 * starts it as the leader of a process group, to kill all of that at once: there is a child in it.
 */
#define _GNU_SOURCE 1
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "program.h"

enum { THREADS = 8, SLOTS = 1024, EMPTY = 0, ALLOCATING = 1, LIVE = 2, FREEING = 3 };

struct slot {
  _Atomic uint64_t address, size, state;
};

static struct slot *slots;
static pthread_barrier_t all_at_work;

NOINLINE static void *allocate(size_t size) {
  void *volatile block = malloc(size);
  CHECK(block != NULL);
  return block;
}

static void *work(void *argument) {
  uint64_t self = (uint64_t)(uintptr_t)argument, random = self * 7919 + 1;
  struct slot *own = slots + self * SLOTS;
  for (unsigned long round = 0;; round++) {
    if (round == 1000) pthread_barrier_wait(&all_at_work);
    struct slot *slot = own + next_random(&random) % SLOTS;
    if (slot->state == EMPTY) {
      size_t size = 1 + next_random(&random) % 500;
      slot->size = size;
      slot->state = ALLOCATING;
      slot->address = (uint64_t)(uintptr_t)allocate(size);
      slot->state = LIVE;
    } else {
      slot->state = FREEING;
      free((void *)(uintptr_t)slot->address);
      slot->state = EMPTY;
    }
  }
  return NULL;
}

static int never_stop(int threads, const char *path) {
  size_t bytes = sizeof(struct slot) * SLOTS * THREADS;
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK(file >= 0 && ftruncate(file, (off_t)bytes) == 0 && threads >= 1 && threads <= THREADS);
  slots = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(slots != MAP_FAILED);
  pthread_barrier_init(&all_at_work, NULL, (unsigned)threads + 1);
  for (int i = 0; i < threads; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, (void *)(intptr_t)i) == 0);
  }
  pthread_barrier_wait(&all_at_work);
  say("at work\n");
  for (;;) pause();
}

static int step_by_step(int in, int out) {
  static void *blocks[10000];
  static size_t sizes[10000];
  uint64_t random = 42;
  size_t count = 0, bytes = 0;
  for (;;) {
    for (int i = 0; i < 5000; i++) {
      size_t k = next_random(&random) % 10000;
      if (blocks[k] == NULL) {
        sizes[k] = next_random(&random) % 1000;
        blocks[k] = allocate(sizes[k]);
        count++;
        bytes += sizes[k];
      } else {
        free(blocks[k]);
        blocks[k] = NULL;
        count--;
        bytes -= sizes[k];
      }
    }
    char line[64];
    int length = snprintf(line, sizeof line, "%zu %zu\n", count, bytes);
    CHECK(write(out, line, (size_t)length) == length);
    if (read(in, line, 1) != 1) return 3;
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 4);
  pid_t parent = getpid();
  if (fork() == 0) {
    /* Lives as long as its parent does, which may be over by now. And holds none of its pipes. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    for (;;) pause();
  }
  if (strcmp(argv[1], "steps") == 0) return step_by_step(atoi(argv[2]), atoi(argv[3]));
  return never_stop(atoi(argv[2]), argv[3]);
}
