/* What was live when the program began to exit, and what is at its end.
 *
 *   exiting return|exit|quick_exit|thread|fork
 *
 * main has made all of these by then; what a handler makes of it:
 *
 *   function    at exit        at the end
 *   stays       10 × 100       10 × 100
 *   freed       10 × 200
 *   resized     10 × 300       10 × 30
 *   refused      1 × 400        1 × 400     (a realloc that fails)
 *   elsewhere   10 × 500                    (another thread frees them)
 *   mapping      1 × 1 MiB      1 × 512 KiB
 *   late                       10 × 40
 *
 * thread: another thread calls exit. fork: a child of a handler frees all, which is nothing to its parent.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT 10
#define APART __attribute__((noinline))
/* Not unrolled: a loop is one call stack. */
#define EACH(i) for (volatile int i = 0; i < COUNT; i++)

static void *kept[COUNT], *freed_blocks[COUNT], *resized_blocks[COUNT], *theirs[COUNT], *late_blocks[COUNT], *large;
static char *mapped;
static sem_t asked, done;

APART static void stays(void) {
  EACH(i) kept[i] = malloc(100);
}
APART static void freed(void) {
  EACH(i) freed_blocks[i] = malloc(200);
}
APART static void resized(void) {
  EACH(i) resized_blocks[i] = malloc(300);
}
APART static void refused(void) {
  large = malloc(400);
}
APART static void elsewhere(void) {
  EACH(i) theirs[i] = malloc(500);
}
APART static void mapping(void) {
  mapped = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
APART static void late(void) {
  EACH(i) late_blocks[i] = malloc(40);
}
APART static void resize(void) {
  EACH(i) resized_blocks[i] = realloc(resized_blocks[i], 30);
}

static void *other(void *unused) {
  (void)unused;
  sem_wait(&asked);
  EACH(i) free(theirs[i]);
  sem_post(&done);
  return NULL;
}

static void handler(void) {
  EACH(i) free(freed_blocks[i]);
  resize();
  /* More than there can be. */
  volatile size_t much = SIZE_MAX / 2;
  if (realloc(large, much)) abort();
  munmap(mapped + (1 << 19), 1 << 19);
  late();
  sem_post(&asked);
  sem_wait(&done);
}

static void forking(void) {
  pid_t child = fork();
  if (child == 0) {
    EACH(i) free(kept[i]);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

static void *leave(void *unused) {
  (void)unused;
  exit(0);
}

int main(int count, char **arguments) {
  const char *how = count > 1 ? arguments[1] : "return";
  stays();
  freed();
  resized();
  refused();
  elsewhere();
  mapping();
  sem_init(&asked, 0, 0);
  sem_init(&done, 0, 0);
  pthread_t thread;
  pthread_create(&thread, NULL, other, NULL);
  atexit(handler);
  at_quick_exit(handler);
  if (strcmp(how, "fork") == 0) atexit(forking);
  if (strcmp(how, "exit") == 0) exit(0);
  if (strcmp(how, "quick_exit") == 0) quick_exit(0);
  if (strcmp(how, "thread") == 0) {
    pthread_create(&thread, NULL, leave, NULL);
    for (;;) pause();
  }
  return 0;
}
