/* Children without exec from a parent whose threads allocate all the time. Arguments: KIND (fork, _Fork, clone, vfork)
 * CHILDREN. Every child allocates what it may, and exits with 0; the parent counts as in churn.c and prints
 * `live COUNT BYTES` of the function `churn`, which must be what its store says: no child has written to it. Every
 * tenth child of fork prints `child PID COUNT` of `churn`, and `block PID ADDRESS SIZE` for each, as it found them:
 * threads that were between a call and its count make it wrong by one each.
 *
 * After fork a child may use malloc (libc repairs its locks). After _Fork and a raw clone another thread may have
 * held libc's lock, so the child keeps to mmap, which is a hook of memhook's too. A vfork child shares the
 * parent's memory until it is gone: what it maps stays mapped there, unless it unmaps it again.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "program.h"

enum { THREADS = 4, SLOTS = 512 };

static struct worker {
  pthread_t thread;
  uint64_t random;
  size_t *slots[SLOTS];
  size_t count, bytes;
} workers[THREADS];

static atomic_bool stop;

NOINLINE static void churn(struct worker *self) {
  uint64_t r = next_random(&self->random);
  size_t **slot = &self->slots[r % SLOTS], size = sizeof(size_t) + (r >> 16) % 300;
  if (*slot) {
    self->count--;
    self->bytes -= **slot;
    free(*slot);
    *slot = NULL;
  } else {
    *slot = malloc(size);
    CHECK(*slot != NULL);
    **slot = size;
    self->count++;
    self->bytes += size;
  }
}

static void *work(void *argument) {
  while (!stop) churn(argument);
  return NULL;
}

NOINLINE static void child_with_malloc(int number) {
  size_t count = 0;
  for (int t = 0; t < THREADS; t++)
    for (int i = 0; i < SLOTS; i++) count += workers[t].slots[i] != NULL;
  for (int i = 0; i < 20; i++) {
    void *volatile block = malloc(1000 + (size_t)i);
    CHECK(block != NULL);
    if (i % 2) free(block);
  }
  if (number % 10 == 0) {
    static char lines[THREADS * SLOTS * 64];
    int length = 0;
    for (int t = 0; t < THREADS; t++) {
      for (int i = 0; i < SLOTS; i++) {
        size_t *block = workers[t].slots[i];
        if (block != NULL)
          length += snprintf(lines + length, 64, "block %d %p %zu\n", (int)getpid(), (void *)block, *block);
      }
    }
    say("child %d %zu\n", (int)getpid(), count);
    CHECK(write(1, lines, (size_t)length) == length);
  }
  _exit(0);
}

NOINLINE static void child_with_mmap(void) {
  for (int i = 0; i < 20; i++) {
    void *region = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED || munmap(region, 65536) != 0) _exit(1);
  }
  _exit(0);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  pid_t (*under_fork)(void) = (pid_t(*)(void))(intptr_t)dlsym(RTLD_DEFAULT, "_Fork");
  const char *kind = argv[1];
  if (strcmp(kind, "_Fork") == 0 && under_fork == NULL) kind = "clone";
  for (int i = 0; i < THREADS; i++) {
    workers[i].random = (uint64_t)i + 1;
    CHECK(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0);
  }
  for (int i = atoi(argv[2]); i > 0; i--) {
    pid_t child;
    if (strcmp(kind, "fork") == 0) {
      child = fork();
      if (child == 0) child_with_malloc(i);
    } else if (strcmp(kind, "_Fork") == 0) {
      child = under_fork();
      if (child == 0) child_with_mmap();
    } else if (strcmp(kind, "clone") == 0) {
      child = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
      if (child == 0) child_with_mmap();
    } else {
      child = vfork();
      if (child == 0) child_with_mmap();
    }
    CHECK(child > 0);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    if (status != 0) say("child ended with status 0x%x\n", (unsigned)status);
    CHECK(status == 0);
  }
  stop = 1;
  size_t count = 0, bytes = 0;
  for (int i = 0; i < THREADS; i++) {
    CHECK(pthread_join(workers[i].thread, NULL) == 0);
    count += workers[i].count;
    bytes += workers[i].bytes;
  }
  say("live %zu %zu\n", count, bytes);
  return 0;
}
