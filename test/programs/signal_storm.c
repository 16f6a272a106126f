/* Signals at a high rate while memhook's hooks are at work. Arguments: HOW and the number of signals to take.
 *
 * return: the main thread allocates and frees, and counts; the handler, on an alternate stack, maps and unmaps, every
 *         16th time without unmapping (which programs may do in a handler, unlike malloc). Prints `live COUNT BYTES` of
 *         `churn`, and `left COUNT` of `in_handler`.
 * above:  the same in a thread whose alternate stack lies above its stack: by its address the handler could be the
 *         interrupted function's caller.
 * disarm: the same as above, and the alternate stack has SS_AUTODISARM: while the handler runs, the kernel says that
 *         there is none.
 * malloc: the handler calls malloc and free instead. With safe_malloc.c preloaded, which allows that.
 * jump:   the main thread maps, uses a pool and unmaps in ever new call stacks; the handler leaves by siglongjmp, also
 *         out of the hook it interrupted. Afterwards everything must be recorded as before, by `afterwards`: ten blocks
 *         of 321 bytes, three of five of a pool, and three mappings of four, one of them only in part.
 * free:   the same, and the thread allocates and frees instead. With safe_malloc.c preloaded, which may be left
 *         anywhere.
 * leave:  the same in threads, one after the other; the handler ends its thread, also in the middle of the hook it
 *         interrupted.
 */
#define _GNU_SOURCE 1
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "../../preload/memhook.h"
#include "program.h"

enum { SLOTS = 1024, REGION = 65536, POOLED = 77 };

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static volatile sig_atomic_t signals, left;
static int wanted;
static size_t *slots[SLOTS];
static size_t count, bytes;
static sigjmp_buf back;

NOINLINE static void in_handler(int signal) {
  (void)signal;
  void *region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (region == MAP_FAILED) _exit(97);
  if (++signals % 16 == 0) {
    left++;
  } else if (munmap(region, REGION) != 0) {
    _exit(96);
  }
}

NOINLINE static void in_allocating_handler(int signal) {
  (void)signal;
  void *volatile block = malloc(700), *volatile passing = malloc(50);
  free(passing);
  if (++signals % 16 == 0)
    left++;
  else
    free(block);
}

static void jump_out(int signal) {
  (void)signal;
  signals++;
  siglongjmp(back, 1);
}

static void end_thread(int signal) {
  (void)signal;
  signals++;
  syscall(SYS_exit, 0);
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

/* SIG_BLOCK or SIG_UNBLOCK: whether the signals may come to this thread. */
static void alarms(int how) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGALRM);
  CHECK(pthread_sigmask(how, &set, NULL) == 0);
}

/* Uses a mapping as a pool. */
NOINLINE static void map_and_unmap(void) {
  char *region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(region != MAP_FAILED);
  for (int i = 0; i < 8; i++) memhook_alloc(region + i * POOLED, POOLED);
  for (int i = 0; i < 8; i++) memhook_free(region + i * POOLED);
  CHECK(munmap(region, REGION) == 0);
}

static void go_left(unsigned way);
static void go_right(unsigned way);

/* The bits of a number are a way through two functions: as many numbers, as
 * many stacks, for which tables have to grow. */
static void map_far_away(unsigned way) {
  if (way == 0)
    map_and_unmap();
  else if (way & 1)
    go_left(way >> 1);
  else
    go_right(way >> 1);
}
NOINLINE static void go_left(unsigned way) {
  map_far_away(way);
  __asm__ volatile("" ::: "memory"); /* no jump instead of the call */
}
NOINLINE static void go_right(unsigned way) {
  map_far_away(way);
  __asm__ volatile("" ::: "memory");
}

/* Never returns by itself. */
static void *map_far_away_always(void *unused) {
  static unsigned way;
  alarms(SIG_UNBLOCK);
  for (;; way++) map_far_away(way % 60000);
  return unused;
}

NOINLINE static void allocate_and_free(void) {
  /* A block that may be known here although its hook was left: posix_memalign does not return it, but puts it there. */
  static void *known;
  static int (*volatile align)(void **, size_t, size_t) = posix_memalign;
  void *blocks[3], *volatile from_before = known;
  known = NULL;
  free(from_before);
  align(&known, 32, 16);
  for (int i = 0; i < 3; i++) blocks[i] = malloc(16);
  for (int i = 0; i < 3; i++) free(blocks[i]);
}

NOINLINE static void afterwards(void) {
  for (int i = 0; i < 10; i++) keep(malloc(321), 321);
  char *mapped[4];
  for (int i = 0; i < 4; i++) {
    mapped[i] = mmap(NULL, 2 * REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapped[i] != MAP_FAILED);
  }
  for (int i = 0; i < 5; i++) memhook_alloc(mapped[0] + i * POOLED, POOLED);
  for (int i = 1; i < 3; i++) memhook_free(mapped[0] + i * POOLED);
  CHECK(munmap(mapped[1], 2 * REGION) == 0);
  CHECK(munmap(mapped[2] + REGION, REGION) == 0);
}

static void set_alternate(void *start, unsigned flags) {
  stack_t stack = {.ss_sp = start, .ss_size = REGION, .ss_flags = (int)flags};
  CHECK(sigaltstack(&stack, NULL) == 0);
}

static void *churn_in_thread(void *alternate) {
  set_alternate(alternate, strcmp(((char **)alternate)[-1], "disarm") == 0 ? SS_AUTODISARM : 0);
  alarms(SIG_UNBLOCK);
  uint64_t random = 1;
  while (signals < wanted) churn(&random);
  alarms(SIG_BLOCK);
  return NULL;
}

/* Runs churn in a thread whose alternate stack lies right above its stack; signals come to that thread alone. */
static void churn_below(char *how) {
  static char both[5 * REGION];
  char *middle = both + 4 * REGION - (uintptr_t)both % 4096;
  ((char **)(void *)middle)[-1] = how;
  alarms(SIG_BLOCK);
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstack(&attributes, middle - 3 * REGION, 3 * REGION - 4096) == 0);
  CHECK(pthread_create(&thread, &attributes, churn_in_thread, middle) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
}

/* Threads that a signal ends, one after the other. */
static void lose_threads(void) {
  alarms(SIG_BLOCK);
  while (signals < wanted) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, map_far_away_always, NULL) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
  }
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  wanted = atoi(argv[2]);
  int freeing = strcmp(argv[1], "free") == 0, jumping = freeing || strcmp(argv[1], "jump") == 0,
      leaving = strcmp(argv[1], "leave") == 0;
  int below = strcmp(argv[1], "above") == 0 || strcmp(argv[1], "disarm") == 0;
  static char alternate[REGION];
  if (!below) set_alternate(alternate, 0);
  struct sigaction action = {.sa_handler = in_handler, .sa_flags = SA_ONSTACK | SA_RESTART};
  if (jumping) action = (struct sigaction){.sa_handler = jump_out};
  if (leaving) action = (struct sigaction){.sa_handler = end_thread};
  if (strcmp(argv[1], "malloc") == 0) action.sa_handler = in_allocating_handler;
  CHECK(sigaction(SIGALRM, &action, NULL) == 0);
  suseconds_t pause = leaving ? 1000 : 100; /* a thread needs some time to get anywhere */
  struct itimerval often = {.it_interval = {.tv_usec = pause}, .it_value = {.tv_usec = pause}}, never = {0};
  uint64_t random = 1;
  if (jumping) {
    static unsigned way;
    (void)sigsetjmp(back, 1);
    if (signals < wanted) {
      CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
      while (freeing) allocate_and_free();
      for (;; way++) map_far_away(way % 60000);
    }
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    afterwards();
  } else {
    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0);
    if (below)
      churn_below(argv[1]);
    else if (leaving)
      lose_threads();
    else
      while (signals < wanted) churn(&random);
    CHECK(setitimer(ITIMER_REAL, &never, NULL) == 0);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    if (leaving) afterwards();
    say("live %zu %zu\n", count, bytes);
    say("left %d\n", (int)left);
  }
  return 0;
}
