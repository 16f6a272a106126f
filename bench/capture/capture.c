/* What does it cost to capture one call stack? See run.sh.
 *
 * The program is linked with memhook's own sources, so that the stacks are interned in a real store. Each contestant
 * captures the same stacks, in turns; the time of the same calls with nothing captured is taken off. The peers only
 * write addresses into an array; memhook's figures include what makes a stack out of them.
 */
#define _GNU_SOURCE
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <execinfo.h>
#include <libunwind.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include "../../preload/unwind/stack_cache.h"
#include "../../preload/unwind/capture.h"
#include "../../preload/threads/thread.h"
#include "../../preload/unwind/walk.h"
#include "frames.h"

#define REPEATS 15
#define STACK (1 << 18)

static int (*nongnu_backtrace)(void **, int);
static void *addresses[DEEPEST + 64];
static struct mh_stack_cache *cache;

#define CONTESTANT(name) static __attribute__((noinline)) long name(struct plan *plan)

CONTESTANT(capture_nothing) {
  return plan->inside;
}
CONTESTANT(capture_cached) {
  struct mh_entry entry = MH_ENTRY();
  uint32_t stack = mh_stack_cache_lookup(cache, &entry);
  return (stack ? stack : mh_walk_dwarf(mh_tls.thread, cache, &entry)) + plan->inside;
}
CONTESTANT(capture_rules) {
  struct mh_entry entry = MH_ENTRY();
  mh_stack_cache_forget(cache);
  return mh_walk_dwarf(mh_tls.thread, cache, &entry) + plan->inside;
}
CONTESTANT(capture_fp) {
  struct mh_entry entry = MH_ENTRY();
  uint32_t stack = mh_stack_cache_lookup(cache, &entry);
  return (stack ? stack : mh_walk_fp(cache, &entry)) + plan->inside;
}
CONTESTANT(capture_fp_alone) {
  struct mh_entry entry = MH_ENTRY();
  mh_stack_cache_forget(cache);
  return mh_walk_fp(cache, &entry) + plan->inside;
}
CONTESTANT(capture_nongnu) {
  return nongnu_backtrace(addresses, DEEPEST) + plan->inside;
}
CONTESTANT(capture_glibc) {
  return backtrace(addresses, DEEPEST) + plan->inside;
}
CONTESTANT(capture_llvm) {
  unw_context_t context;
  unw_cursor_t cursor;
  unw_getcontext(&context);
  unw_init_local(&cursor, &context);
  long count = 0;
  while (unw_step(&cursor) > 0) {
    unw_word_t pc;
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    addresses[count++] = (void *)pc;
  }
  return count + plan->inside;
}
/* The least that any cache by frame pointers has to do. */
CONTESTANT(capture_chain) {
  void **fp = __builtin_frame_address(0);
  long count = 0;
  for (; count < DEEPEST && (void *)fp < (void *)plan; count++) {
    addresses[count] = fp[1];
    if ((void **)fp[0] <= fp) break;
    fp = fp[0];
  }
  return count;
}

/* run_omit on a stack that is not the thread's own. */
static ucontext_t caller;
static struct {
  struct plan *plan;
  int depth;
  long result;
} elsewhere;
static void run_there(void) {
  elsewhere.result = run_omit(elsewhere.plan, elsewhere.depth);
}
static long run_elsewhere(struct plan *plan, int depth, void *stack) {
  ucontext_t callee;
  getcontext(&callee);
  callee.uc_stack.ss_sp = stack;
  callee.uc_stack.ss_size = STACK;
  callee.uc_link = &caller;
  makecontext(&callee, run_there, 0);
  elsewhere.plan = plan;
  elsewhere.depth = depth;
  swapcontext(&caller, &callee);
  return elsewhere.result;
}
static long run_on_mapped(struct plan *plan, int depth) {
  static void *stack;
  if (!stack) stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return run_elsewhere(plan, depth, stack);
}
static long run_on_malloced(struct plan *plan, int depth) {
  static void *stack;
  if (!stack) stack = malloc(STACK);
  return run_elsewhere(plan, depth, stack);
}

static struct contestant {
  const char *name;
  long (*capture)(struct plan *);
  long (*run)(struct plan *, int);
  long rounds;
  double nanoseconds[REPEATS];
} contestants[] = {
    {"nongnu libunwind, unw_backtrace", capture_nongnu, run_omit, 2000, {0}}, /* first: the one to compare with */
    {"glibc backtrace()", capture_glibc, run_omit, 300, {0}},
    {"LLVM libunwind, unw_step", capture_llvm, run_omit, 100, {0}},
    {"memhook, rules", capture_rules, run_omit, 5000, {0}},
    {"memhook, rules + stack cache", capture_cached, run_omit, 20000, {0}},
    {"the same on a coroutine's stack, from mmap", capture_cached, run_on_mapped, 5000, {0}},
    {"the same on a coroutine's stack, from malloc", capture_cached, run_on_malloced, 5000, {0}},
    {"memhook, frame pointers", capture_fp_alone, run_keep, 5000, {0}},
    {"memhook, frame pointers + stack cache", capture_fp, run_keep, 20000, {0}},
    {"frame pointers into an array", capture_chain, run_keep, 20000, {0}},
};
#define CONTESTANTS (sizeof contestants / sizeof *contestants)

static double time_of(struct plan *plan, const struct contestant *contestant, long (*capture)(struct plan *),
    int depth) {
  struct timespec from, to;
  plan->capture = capture;
  plan->rounds = contestant->rounds;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
  contestant->run(plan, depth);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
  return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / (double)plan->rounds;
}

static int ascending(const void *a, const void *b) {
  return *(const double *)a < *(const double *)b ? -1 : 1;
}

static int only = -1; /* one contestant, to look at it with a profiler */

static int left_out(unsigned i) {
  return (only >= 0 && (int)i != only) || (contestants[i].capture == capture_nongnu && !nongnu_backtrace);
}

static void measure(int depth, int change) {
  struct plan plan = {.change = change, .random = 42};
  for (int i = 0; i <= DEEPEST; i++) plan.path[i] = (unsigned char)(i * 7 % 32);
  int below = depth - 4; /* main, measure and time_of are frames too, as is the C library's start */
  for (int repeat = -1; repeat < REPEATS; repeat++)
    for (unsigned i = 0; i < CONTESTANTS; i++) {
      struct contestant *c = &contestants[i];
      if (left_out(i)) continue;
      unsigned long long random = plan.random;
      double with = time_of(&plan, c, c->capture, below);
      plan.random = random; /* the same stacks again */
      double without = time_of(&plan, c, capture_nothing, below);
      if (repeat >= 0) c->nanoseconds[repeat] = with - without;
    }
  double reference = 0;
  for (unsigned i = 0; i < CONTESTANTS; i++) {
    struct contestant *c = &contestants[i];
    if (left_out(i)) continue;
    qsort(c->nanoseconds, REPEATS, sizeof(double), ascending);
    double median = c->nanoseconds[REPEATS / 2];
    if (i == 0) reference = median;
    printf("%5d  %-22s  %-44s %8.0f %8.0f %8.0f", depth, change ? "four frames changed" : "same stack again", c->name,
        median,
           c->nanoseconds[0], c->nanoseconds[REPEATS - 1]);
    if (reference > 0)
      printf("  %7.2f\n", reference / median);
    else
      printf("        –\n");
  }
}

int main(int argc, char **argv) {
  void *nongnu = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
  if (nongnu) *(void **)&nongnu_backtrace = dlsym(nongnu, "unw_backtrace");
  if (!nongnu_backtrace) printf("nongnu libunwind is not here (Debian: libunwind8): left out\n");
  free(malloc(1)); /* starts memhook */
  struct mh_thread *thread = mh_thread_mine();
  cache = mh_map_private(mh_stack_cache_bytes());
  if (!thread || !cache) {
    fprintf(stderr, "capture: memhook did not start: MEMHOOK_FILE\n");
    return 1;
  }
  int depths[] = {12, 30, 62}, one = argc > 1 ? atoi(argv[1]) : 0;
  only = argc > 2 ? atoi(argv[2]) : -1;
  printf("%-5s  %-22s  %-44s %8s %8s %8s  ratio\n", "depth", "stacks", "contestant", "median ns", "min", "max");
  for (unsigned i = 0; i < sizeof depths / sizeof *depths; i++) {
    if (one && depths[i] != one) continue;
    measure(depths[i], 0);
    measure(depths[i], 1);
  }
  return 0;
}
