/* What threads and the process do at their end: destructors of thread-specific data that allocate again, cleanup
 * handlers of a cancelled thread, a main thread that ends first, atexit and on_exit. After glibc's and LeakSanitizer's
 * tests. */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_key_t keys[3];
static sem_t waiting;
static pthread_t first;

static void destroy(void *block) {
  static __thread int rounds;
  free(block);
  if (rounds++ < 2) pthread_setspecific(keys[1], malloc(700));
}

static void *specific(void *nothing) {
  for (int key = 0; key < 3; key++) pthread_setspecific(keys[key], malloc(400 + (size_t)key));
  return nothing;
}

static void *cancelled(void *nothing) {
  void *block = malloc(900);
  if (!malloc(901)) return nothing;
  pthread_cleanup_push(free, block);
  sem_post(&waiting);
  for (;;) pause();
  pthread_cleanup_pop(1);
  return nothing;
}

static void late(void) {
  puts("late");
  if (!malloc(1100)) _exit(9);
}

static void later(int status, void *block) {
  printf("with %d\n", status);
  free(block);
}

static void *last(void *nothing) {
  pthread_join(first, NULL);
  if (!malloc(1300)) return nothing;
  exit(5);
}

int main(void) {
  sem_init(&waiting, 0, 0);
  for (int key = 0; key < 3; key++) pthread_key_create(&keys[key], destroy);
  atexit(late);
  on_exit(later, malloc(1200));
  pthread_t thread;
  pthread_create(&thread, NULL, specific, NULL);
  pthread_join(thread, NULL);
  pthread_create(&thread, NULL, cancelled, NULL);
  sem_wait(&waiting);
  pthread_cancel(thread);
  pthread_join(thread, NULL);
  first = pthread_self();
  pthread_create(&thread, NULL, last, NULL);
  pthread_exit(NULL);
}
