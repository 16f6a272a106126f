/* Signals at a high rate while memhook's hooks are at work. Arguments: HOW (return, jump) and the number of signals to take.
 *
 * return: the main thread allocates and frees, and counts; the handler, on an alternate stack, maps and unmaps, every
 *         16th time without unmapping (which programs may do in a handler, unlike malloc). Prints `live COUNT BYTES` of `churn`,
 *         and `mapped COUNT` of `in_handler`.
 * jump:   the main thread maps and unmaps; the handler leaves by siglongjmp, also out of the hook it interrupted. Afterwards
 *         everything must be recorded as before: ten blocks of 321 bytes, by `afterwards`.
 */
#define _GNU_SOURCE 1
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "program.h"

enum { SLOTS = 1024, REGION = 65536 };

static volatile sig_atomic_t signals, mapped;
static size_t *slots[SLOTS];
static size_t count, bytes;
static sigjmp_buf back;

NOINLINE static void in_handler(int signal) {
  (void)signal;
  void *region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (region == MAP_FAILED) _exit(97);
  if (++signals % 16 == 0) {
    mapped++;
  } else if (munmap(region, REGION) != 0) {
    _exit(96);
  }
}

static void jump_out(int signal) {
  (void)signal;
  signals++;
  siglongjmp(back, 1);
}

NOINLINE static void churn(uint64_t *random) {
  uint64_t r = next_random(random);
  size_t **slot = &slots[r % SLOTS], size = sizeof(size_t) + (r >> 16) % 500;
  if (*slot) {
    count--;
    bytes -= **slot;
    free(*slot);
    *slot = NULL;
  } else {
    *slot = malloc(size);
    CHECK(*slot != NULL);
    **slot = size;
    count++;
    bytes += size;
  }
}

NOINLINE static void map_and_unmap(void) {
  void *region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(region != MAP_FAILED);
  CHECK(munmap(region, REGION) == 0);
}

NOINLINE static void afterwards(void) {
  for (int i = 0; i < 10; i++) keep(malloc(321), 321);
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  int jumping = strcmp(argv[1], "jump") == 0, wanted = atoi(argv[2]);
  static char alternate[65536];
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  CHECK(sigaltstack(&stack, NULL) == 0);
  struct sigaction action = {.sa_handler = jumping ? jump_out : in_handler, .sa_flags = jumping ? 0 : SA_ONSTACK | SA_RESTART};
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  struct itimerval often = {.it_interval = {.tv_usec = 100}, .it_value = {.tv_usec = 100}}, never = {0};
  uint64_t random = 1;
  if (jumping) {
    (void)sigsetjmp(back, 1);
    if (signals < wanted) {
      CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
      for (;;) map_and_unmap();
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    afterwards();
  } else {
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    while (signals < wanted) churn(&random);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    say("live %zu %zu\n", count, bytes);
    say("mapped %d\n", (int)mapped);
  }
  return 0;
}
