/* Runs with allocator.c in the place of libc's malloc. Argument: what that does inside of its calls, and after `raise`
 * what this program's signal handler does there: `allocate`, `map` or `copy` (strdup). Whatever it is, these are the
 * program's mappings; what a handler makes inside of malloc is dropped, one each.
 *
 * live 2000 x 160 heap many
 * live 1 x 4242 heap main
 * live 1 x 196608 mmap main
 * live 1 x 262144 mmap main via allocator
 */
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>

#include "program.h"

void allocator_mode(const char *mode);
void *allocator_pool(size_t size);
void allocator_join(void);
#pragma weak allocator_mode
#pragma weak allocator_pool
#pragma weak allocator_join

static void *volatile kept;
static const char *what = "";

static void handler(int signal) {
  (void)signal;
  if (strcmp(what, "allocate") == 0) kept = malloc(77);
  if (strcmp(what, "copy") == 0) kept = strdup("from a handler");
  if (strcmp(what, "map") == 0) kept = mmap(NULL, 5 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

NOINLINE static void many(void) {
  for (int i = 0; i < 2000; i++) {
    void *volatile block = malloc(160), *volatile passing = malloc(1000);
    CHECK(block && passing);
    free(passing);
  }
}

static void *only_frees(void *block) {
  free(block);
  return NULL;
}

int main(int argc, char **argv) {
  CHECK(argc >= 2);
  if (argc > 2) what = argv[2];
  struct sigaction action = {.sa_handler = handler};
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  allocator_mode(argv[1]);
  many();
  kept = malloc(4242);
  allocator_join();
  kept = mmap(NULL, 196608, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  kept = allocator_pool(262144);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, only_frees, malloc(50)) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  return 0;
}
