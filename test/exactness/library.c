/* The proof of exactness: a preloaded library that captures the stack of every allocation in several ways and compares
 * them.
 *
 *     cached       rules and the stack cache: what memhook uses
 *     rules        the same with nothing cached
 *     reference    LLVM's libunwind, frame by frame, for every Nth capture (EXACTNESS_EVERY, default 1; 0: never)
 *
 * EXACTNESS_FP=1 does the same with frame pointers instead of rules, without the reference. EXACTNESS_SAMPLE=N captures
 * one allocation in N, at random: what is cached is then older, and more has happened since.
 *
 * It is built from memhook's own sources for capturing; tables.c stands in for the rest. Counts go to a mapped file
 * EXACTNESS_DIR/PID.counts, so that they survive any end of the process; the first differences go to
 * EXACTNESS_DIR/PID.differences in words.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "../../preload/base/sys.h"
#include "../../preload/stacks/modules.h"
#include "../../preload/unwind/capture_libunwind.h"
#include "../../preload/unwind/cfi.h"
#include "../../preload/unwind/stack_cache.h"
#include "../../preload/unwind/step.h"
#include "../../preload/unwind/unwind_rule.h"
#include "../../preload/unwind/walk.h"
#include "exactness.h"

#define EXPORT __attribute__((visibility("default")))

static unsigned every = 1, sample = 1;
static bool frame_pointers;

/* ── Comparing ─────────────────────────────────────────────────────────────────────────────────── */

struct mh_thread {
  struct mh_stack_cache *cached, *rules;
  struct frame ours[FRAMES_MAX], reference[FRAMES_MAX];
  unsigned captures, random;
  bool fell_back;
};

static __thread struct mh_thread *thread __attribute__((tls_model("initial-exec")));
static __thread bool inside __attribute__((tls_model("initial-exec")));

uint32_t mh_capture_libunwind(struct mh_thread *t, const struct mh_entry *entry) {
  (void)entry;
  t->fell_back = true;
  return 0;
}

/* On aarch64 a return address may be signed in its upper bits, which no address has. If a signal interrupts the loader
 * between a signed call and its resolution, libunwind takes the address from the register, with its signature. */
static bool same_frame(const struct frame *ours, const struct frame *reference, bool *unstripped) {
  if (ours->exact != reference->exact || ours->lost != reference->lost) return false;
  if (ours->pc == reference->pc) return true;
  *unstripped = mh_strip(reference->pc) == ours->pc;
  return *unstripped;
}

static void compare_reference(struct mh_thread *t, const struct mh_entry *entry, unsigned count) {
  COUNT(referenced);
  bool corrected = false, unstripped = false;
  unsigned same = 0, other = reference_walk(entry, t->reference, mh_depth_limit, &corrected);
  if (!other) {
    COUNT(reference_failed);
    return;
  }
  if (corrected) COUNT(corrected);
  while (same < count && same < other && same_frame(&t->ours[same], &t->reference[same], &unstripped)) same++;
  if (unstripped) COUNT(unstripped);
  if (same == count && same == other) return;
  if (same == other) COUNT(shorter);
  if (COUNT(reference_differs) > 10) return;
  say("rules differ from the reference after %u frames\n", same);
  say_stack("rules", t->ours, count);
  say_stack("reference", t->reference, other);
}

static void compare(const struct mh_entry *entry) {
  struct mh_thread *t = thread;
  if (MH_UNLIKELY(!t)) {
    t = mh_map_private(sizeof *t);
    t->cached = mh_map_private(mh_stack_cache_bytes());
    t->rules = mh_map_private(mh_stack_cache_bytes());
    thread = t;
  }
  if (MH_UNLIKELY(!report_is_own())) report_open();
  if (sample > 1) {
    t->random = t->random * 1664525 + 1013904223;
    if (t->random >> 16 & 0x7fff && (t->random >> 8) % sample) return;
  }
  COUNT(captures);
  t->fell_back = false;
  uint32_t fast = mh_stack_cache_lookup(t->cached, entry);
  if (!fast) fast = frame_pointers ? mh_walk_fp(t->cached, entry) : mh_walk_dwarf(t, t->cached, entry);
  bool fell_back = t->fell_back;
  mh_stack_cache_forget(t->rules);
  uint32_t slow = frame_pointers ? mh_walk_fp(t->rules, entry) : mh_walk_dwarf(t, t->rules, entry);
  if (fell_back || t->fell_back) {
    if (COUNT(fallbacks) <= 3) {
      unsigned at = 0;
      while (at < mh_depth_limit - 1 && mh_rule_kind(t->rules->steps[at].rule) != MH_RULE_FALLBACK) at++;
      struct frame frame = {.pc = t->rules->steps[at].pc, .exact = t->rules->steps[at].flags & MH_STEP_EXACT};
      say_stack("a rule does not suffice", &frame, 1);
    }
    if (fell_back != t->fell_back && COUNT(cached_differs) < 10) say("only one of cached and rules fell back\n");
    return;
  }
  if (!fast || !slow) {
    COUNT(lost);
    return;
  }
  bool cut;
  unsigned count = 0;
  bool look = every && !frame_pointers && ++t->captures % every == 0;
  if (fast != slow && COUNT(cached_differs) < 10) {
    say("cached differs from rules\n");
    count = stack_frames(fast, t->ours, &cut);
    say_stack("cached", t->ours, count);
    count = stack_frames(slow, t->ours, &cut);
    say_stack("rules", t->ours, count);
  }
  count = stack_frames(slow, t->ours, &cut);
  __atomic_add_fetch(&counts->frames, count, __ATOMIC_RELAXED);
  if (count > counts->deepest) counts->deepest = count;
  if (cut) COUNT(cut);
  if (count && t->ours[count - 1].lost) COUNT(unknown);
  for (unsigned i = 0; i < count; i++)
    if (t->ours[i].exact) {
      COUNT(signals);
      break;
    }
  if (look) compare_reference(t, entry, count);
}

/* ── Hooks ─────────────────────────────────────────────────────────────────────────────────────── */

void *__libc_malloc(size_t);
void __libc_free(void *);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

static bool ready;

#define CAPTURE()                          \
  do {                                     \
    if (ready && !inside) {                \
      inside = true;                       \
      struct mh_entry entry = MH_ENTRY();  \
      int saved = *error_number();         \
      compare(&entry);                     \
      *error_number() = saved;             \
      inside = false;                      \
    }                                      \
  } while (0)

extern int *__errno_location(void);
static int *error_number(void) {
  return __errno_location();
}

EXPORT __attribute__((noinline)) void *malloc(size_t bytes) {
  CAPTURE();
  return __libc_malloc(bytes);
}
EXPORT __attribute__((noinline)) void free(void *block) {
  if (block) CAPTURE();
  __libc_free(block);
}
EXPORT __attribute__((noinline)) void *calloc(size_t count, size_t bytes) {
  CAPTURE();
  return __libc_calloc(count, bytes);
}
EXPORT __attribute__((noinline)) void *realloc(void *block, size_t bytes) {
  CAPTURE();
  return __libc_realloc(block, bytes);
}
EXPORT __attribute__((noinline)) void *aligned_alloc(size_t alignment, size_t bytes) {
  CAPTURE();
  return __libc_memalign(alignment, bytes);
}
EXPORT __attribute__((noinline)) void *memalign(size_t alignment, size_t bytes) {
  CAPTURE();
  return __libc_memalign(alignment, bytes);
}
EXPORT __attribute__((noinline)) int posix_memalign(void **block, size_t alignment, size_t bytes) {
  CAPTURE();
  *block = __libc_memalign(alignment, bytes);
  return *block ? 0 : 12;
}

static long answer(long result) {
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

EXPORT void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  long start = answer(mh_syscall(SYS_mmap, (long)address, (long)bytes, protection, flags, fd, offset));
  if (start != -1) mappings_change((uintptr_t)start, (uintptr_t)start + bytes, flags & MAP_ANONYMOUS);
  return (void *)start;
}
EXPORT void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
    __attribute__((alias("mmap")));

EXPORT int munmap(void *start, size_t bytes) {
  mappings_change((uintptr_t)start, (uintptr_t)start + bytes, false);
  return (int)answer(mh_syscall(SYS_munmap, (long)start, (long)bytes, 0, 0, 0, 0));
}

/* The module generation advances before a dlopen and after a dlclose. */
static void *(*real_dlopen)(const char *, int);
static int (*real_dlclose)(void *);

static void advance(void) {
  __atomic_add_fetch(&mh_generation, 1, __ATOMIC_ACQ_REL);
  mh_capture_dwarf_modules_changed();
}

/* A jump, so that the loader sees the real caller. */
EXPORT void *dlopen(const char *file, int mode) {
  if (!real_dlopen) real_dlopen = dlsym(RTLD_NEXT, "dlopen");
  advance();
  __attribute__((musttail)) return real_dlopen(file, mode);
}

EXPORT int dlclose(void *handle) {
  if (!real_dlclose) real_dlclose = dlsym(RTLD_NEXT, "dlclose");
  mh_cfi_unloading();
  int result = real_dlclose(handle);
  advance();
  mh_cfi_unloaded();
  return result;
}

__attribute__((constructor)) static void start(void) {
  if (!tables_make()) return;
  if (getenv("EXACTNESS_EVERY")) every = (unsigned)atoi(getenv("EXACTNESS_EVERY"));
  if (getenv("EXACTNESS_SAMPLE")) sample = (unsigned)atoi(getenv("EXACTNESS_SAMPLE"));
  if (getenv("EXACTNESS_DEPTH")) mh_depth_limit = (uint32_t)atoi(getenv("EXACTNESS_DEPTH"));
  frame_pointers = getenv("EXACTNESS_FP") != NULL;
  mh_walk_start();
  report_open();
  ready = true;
}
