/* Allocation at the odd moments of a process: before main, in constructors, in a thread's TLS destructors (round after
 * round), in atexit handlers, in destructors.
 *
 * glibc live 1 x 1001 heap in_preinit
 * live 1 x 1002 heap in_constructor
 * live 1 x 1003 heap in_main
 * live 8 x 1004 heap in_thread
 * live 16 x 1005 heap in_tls_destructor
 * live 1 x 1006 heap in_atexit_handler
 * live 1 x 1007 heap in_destructor
 */
#include <pthread.h>

#include "program.h"

enum { THREADS = 8 };

static void *volatile freed_at_exit;

NOINLINE static void in_preinit(void) { keep(malloc(1001), 1001); }

/* Runs before any constructor, where the C library knows of it. */
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(void) = in_preinit;

__attribute__((constructor(101))) NOINLINE static void in_constructor(void) {
  keep(malloc(1002), 1002);
  freed_at_exit = malloc(99);
}

NOINLINE static void in_main(void) { keep(malloc(1003), 1003); }

static pthread_key_t key;

NOINLINE static void in_thread(void) { keep(malloc(1004), 1004); }

/* Sets its own value again, so that the libc calls it a second time. */
NOINLINE static void in_tls_destructor(void *round) {
  keep(malloc(1005), 1005);
  if ((intptr_t)round == 1) pthread_setspecific(key, (void *)2);
}

static void *work(void *unused) {
  (void)unused;
  pthread_setspecific(key, (void *)1);
  in_thread();
  return NULL;
}

NOINLINE static void in_atexit_handler(void) {
  keep(malloc(1006), 1006);
  void *volatile passing = malloc(5);
  free(passing);
}

__attribute__((destructor)) NOINLINE static void in_destructor(void) {
  keep(malloc(1007), 1007);
  free(freed_at_exit);
}

int main(void) {
  in_main();
  CHECK(atexit(in_atexit_handler) == 0);
  CHECK(pthread_key_create(&key, in_tls_destructor) == 0);
  for (int i = 0; i < THREADS; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, work, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
  return 0;
}
