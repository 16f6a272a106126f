/* The proof of exactness: a preloaded library that captures the stack of every
 * allocation in several ways and compares them.
 *
 *     cached       rules and the stack cache: what memhook uses
 *     rules        the same with nothing cached
 *     reference    LLVM's libunwind, frame by frame, for every Nth capture (EXACTNESS_EVERY, default 1; 0: never)
 *
 * EXACTNESS_FP=1 does the same with frame pointers instead of rules, without the reference.
 * EXACTNESS_SAMPLE=N captures one allocation in N, at random: what is cached is
 * then older, and more has happened since.
 *
 * It is built from memhook's own sources for capturing; modules and interning are replaced by the simplest thing that
 * can be right. Counts go to a mapped file EXACTNESS_DIR/PID.counts, so that they survive any end of the process;
 * the first differences go to EXACTNESS_DIR/PID.differences in words.
 */
#define _GNU_SOURCE
#define UNW_LOCAL_ONLY
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libunwind.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../preload/unwind/stack_cache.h"
#include "../../preload/unwind/capture.h"
#include "../../preload/unwind/capture_libunwind.h"
#include "../../preload/unwind/cfi.h"
#include "../../preload/stacks/intern.h"
#include "../../preload/base/lock.h"
#include "../../preload/stacks/modules.h"
#include "../../preload/unwind/origin.h"
#include "../../preload/unwind/outermost.h"
#include "../../preload/index/intervals.h"
#include "../../preload/unwind/unwind_rule.h"
#include "../../preload/unwind/step.h"
#include "../../preload/base/sys.h"
#include "../../preload/unwind/walk.h"
#include "layout.h"

#define EXPORT __attribute__((visibility("default")))
#define FRAMES_MAX 4096

/* ── What is counted ───────────────────────────────────────────────────────────────────────────── */

/* In the order of the names in run.sh. */
struct counts {
  uint64_t captures, frames, deepest;
  uint64_t referenced;         /* captures compared with libunwind */
  uint64_t fallbacks;          /* stacks that a rule could not express */
  uint64_t signals;            /* stacks with a signal frame */
  uint64_t cut;                /* stacks deeper than the limit */
  uint64_t lost;               /* captures that gave no stack */
  uint64_t cached_differs; /* cached ≠ rules */
  uint64_t reference_differs;  /* rules ≠ reference, unexplained */
  uint64_t corrected;          /* libunwind had to be told about an interrupted instruction; see at_boundary() */
  uint64_t reference_failed;   /* libunwind did not find the entry */
  uint64_t shorter;            /* of reference_differs: the reference ended earlier, and was the same until then */
  uint64_t unstripped;         /* libunwind left the signature in a return address; see same_frame() */
  uint64_t unknown;            /* stacks whose outermost callers nobody knows */
};

static struct counts fallback_counts, *counts = &fallback_counts;
static int differences = -1;
static int counts_pid;
static unsigned every = 1, sample = 1;
static bool frame_pointers;

#define COUNT(what) __atomic_add_fetch(&counts->what, 1, __ATOMIC_RELAXED)

static void say(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof line) length = sizeof line;
  if (differences >= 0 && length > 0) mh_write(differences, line, (size_t)length);
}

/* A file of this process's own; again in the child of a fork. */
static void open_report(void) {
  const char *folder = getenv("EXACTNESS_DIR");
  char path[512];
  counts_pid = mh_getpid();
  if (!folder) return;
  snprintf(path, sizeof path, "%s/%d.counts", folder, counts_pid);
  int fd = mh_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd >= 0 && mh_fallocate(fd, 0, 4096) == 0) {
    struct counts *mapped = mh_map(4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped) counts = mapped;
  }
  mh_close(fd);
  snprintf(path, sizeof path, "%s/%d.differences", folder, counts_pid);
  differences = mh_open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0644);
}

/* ── Modules: what the loader says, copied ─────────────────────────────────────────────────────── */

uint32_t mh_generation = 1;
__thread uint64_t mh_tls[64]; /* room for the state of a thread, which cfi.c wants */

struct module_list {
  uint32_t count, generation;
  struct mh_module modules[1000];
  char names[1000][64];
};

static struct module_list lists[2], *list;
static struct mh_lock list_lock;

static int add_module(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct module_list *into = data;
  if (into->count == 1000) return 1;
  struct mh_module m = {.bias = info->dlpi_addr, .start = UINTPTR_MAX, .text_start = UINTPTR_MAX, .loaded = true};
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t start = m.bias + p->p_vaddr, end = start + p->p_memsz;
    if (p->p_type == PT_GNU_EH_FRAME) {
      m.tables.header = start;
      m.tables.header_bytes = p->p_memsz;
    }
    if (p->p_type != PT_LOAD) continue;
    if (start < m.start) m.start = start;
    if (end > m.end) m.end = end;
    if (!(p->p_flags & PF_X)) continue;
    if (start < m.text_start) m.text_start = start;
    if (end > m.text_end) m.text_end = end;
  }
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *p = &info->dlpi_phdr[i];
    uintptr_t start = m.bias + p->p_vaddr, end = start + p->p_filesz;
    if (p->p_type == PT_LOAD && m.tables.header >= start && m.tables.header < end)
      m.tables.header_part = m.tables.frames_part = (struct mh_part){start, end};
  }
  const char *name = info->dlpi_name;
  for (const char *c = name; *c; c++)
    if (*c == '/') name = c + 1;
  snprintf(into->names[into->count], sizeof into->names[0], "%s", *name ? name : "program");
  into->modules[into->count++] = m;
  into->modules[into->count - 1].id = into->count;
  return 0;
}

void mh_modules_refresh(void) {
  if (!mh_lock_acquire_reentrant(&list_lock, (uint32_t)mh_gettid())) return;
  struct module_list *next = list == &lists[0] ? &lists[1] : &lists[0];
  next->count = 0;
  next->generation = __atomic_load_n(&mh_generation, __ATOMIC_RELAXED);
  dl_iterate_phdr(add_module, next);
  __atomic_store_n(&list, next, __ATOMIC_RELEASE);
  mh_lock_release(&list_lock);
}

static const struct mh_module *find_module(uintptr_t pc) {
  struct module_list *now = __atomic_load_n(&list, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; now && i < now->count; i++)
    if (pc >= now->modules[i].text_start && pc < now->modules[i].text_end) return &now->modules[i];
  return NULL;
}

const struct mh_module *mh_module_at(uintptr_t pc) {
  if (!list || list->generation != __atomic_load_n(&mh_generation, __ATOMIC_RELAXED)) mh_modules_refresh();
  const struct mh_module *module = find_module(pc);
  if (!module) {
    mh_modules_refresh();
    module = find_module(pc);
  }
  return module;
}

bool mh_module_is_runtime(uint32_t module) {
  const char *name = list->names[module - 1];
  return strncmp(name, "libc.so", 7) == 0 || strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "libpthread", 10) == 0;
}

bool mh_module_known(uintptr_t pc) {
  (void)pc;
  return true;
}

/* ── Interning: three sets whose element numbers are the ids ───────────────────────────────────── */

struct set {
  uint32_t bits;
  uint64_t *keys;
};

static struct set frames_set = {.bits = 21}, nodes_set = {.bits = 24}, stacks_set = {.bits = 24};

static uint32_t intern(struct set *set, uint64_t key) {
  uint64_t at = key * 0x9e3779b97f4a7c15ull >> (64 - set->bits), mask = (1ull << set->bits) - 1;
  for (unsigned probe = 0; probe < 4096; probe++, at = (at + 1) & mask) {
    if (at == 0) continue;
    uint64_t seen = __atomic_load_n(&set->keys[at], __ATOMIC_RELAXED);
    if (seen == 0 && __atomic_compare_exchange_n(&set->keys[at], &seen, key, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
      return (uint32_t)at;
    if (seen == key) return (uint32_t)at;
  }
  return 0;
}

uint32_t mh_intern_frame(uintptr_t pc, uint32_t flags) {
  return intern(&frames_set, pc << 2 | flags);
}
void mh_intern_fetch_node(uint32_t hash) {
  (void)hash;
}
void mh_intern_fetch_stack(uint32_t hash) {
  (void)hash;
}
uint32_t mh_intern_node(uint32_t parent, uint32_t frame, uint32_t hash) {
  (void)hash;
  return intern(&nodes_set, (uint64_t)parent << 32 | frame);
}
uint32_t mh_intern_stack(uint32_t node, bool cut, uint32_t hash) {
  (void)hash;
  return intern(&stacks_set, (uint64_t)node << 1 | cut);
}

/* ── One thread's walks ────────────────────────────────────────────────────────────────────────── */

struct frame {
  uintptr_t pc;
  bool exact, lost;
};

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

static unsigned unfold(uint32_t stack, struct frame *frames, bool *cut) {
  uint64_t key = stacks_set.keys[stack];
  *cut = key & 1;
  unsigned count = 0;
  for (uint32_t node = (uint32_t)(key >> 1); node && count < FRAMES_MAX;) {
    uint64_t pair = nodes_set.keys[node];
    uint64_t frame = frames_set.keys[(uint32_t)pair];
    frames[count++] = (struct frame){.pc = frame >> 2, .exact = frame & MH_FRAME_FLAG_EXACT,
        .lost = frame & MH_FRAME_FLAG_LOST};
    node = (uint32_t)(pair >> 32);
  }
  return count;
}

/* libunwind runs a function's description up to, not including, the rules that begin at the pc. That is right for a
 * return address and wrong for an interrupted instruction at which a rule begins: it then goes astray, and may crash.
 * Told that the pc is one byte further, it does what is right. */
static bool at_boundary(uintptr_t pc) {
  return mh_cfi_rule(pc, true) != mh_cfi_rule(pc, false);
}

static bool at_return(uintptr_t pc) {
#if defined(__x86_64__)
  return *(const uint8_t *)pc == 0xc3;
#else
  (void)pc;
  return false;
#endif
}

/* Steps libunwind from here to the entry, then outwards. A frame without unwind information is the last one. Where its
 * callers are lost, there is a pc to go on from, as long as the limit allows it. */
static unsigned reference(const struct mh_entry *entry, struct frame *frames, unsigned limit, bool *corrected) {
  unw_context_t context;
  unw_cursor_t cursor;
  if (unw_getcontext(&context) || unw_init_local(&cursor, &context)) return 0;
  unw_word_t pc = 0, sp = 0;
  for (unsigned own = 0; sp != entry->sp || pc != entry->pc; own++) {
    if (own == 16 || unw_step(&cursor) < 0) return 0;
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    unw_get_reg(&cursor, UNW_REG_SP, &sp);
  }
  unsigned count = 0;
  bool exact = false;
  while (pc && count < limit) {
    frames[count++] = (struct frame){.pc = pc, .exact = exact};
    unw_word_t sp_before = sp, pc_before = pc;
    if (exact && at_boundary(pc)) {
      *corrected = true;
      if (at_return(pc)) {
        /* One byte further is another function, but what a return does can be done by hand. */
        pc = *(unw_word_t *)sp;
        sp += sizeof sp;
        unw_set_reg(&cursor, UNW_REG_SP, sp);
        unw_set_reg(&cursor, UNW_REG_IP, pc);
        exact = false;
        continue;
      }
      unw_set_reg(&cursor, UNW_REG_IP, pc + 1);
    }
    int result = unw_step(&cursor);
    if (result < 0) break;
    exact = unw_is_signal_frame(&cursor) > 0; /* in LLVM's: whether the step just made came out of one */
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    unw_get_reg(&cursor, UNW_REG_SP, &sp);
    if (result == 0 && pc == pc_before && sp == sp_before) break;
    if (result == 0) {
      if (pc && count < limit) frames[count++] = (struct frame){.pc = pc, .exact = exact};
      break;
    }
  }
  if (count && count < limit) frames[count - 1].lost = pc ? !mh_is_end(pc, exact, sp) : exact;
  return count;
}

static void say_stack(const char *title, const struct frame *frames, unsigned count) {
  say("  %s:\n", title);
  for (unsigned i = 0; i < count && i < 80; i++) {
    const struct mh_module *m = find_module(frames[i].pc);
    struct module_list *now = list;
    if (m)
      say("    %2u %s+0x%lx", i, now->names[m - now->modules], (unsigned long)(frames[i].pc - m->bias));
    else
      say("    %2u 0x%lx", i, (unsigned long)frames[i].pc);
    say("%s%s\n", frames[i].exact ? " (exact)" : "", frames[i].lost ? " (callers lost)" : "");
  }
}

/* On aarch64 return addresses may be signed in their upper bits, which no address has.
 * Where a signal interrupts the loader between a signed call and its resolution, libunwind
 * takes the address from the register with its signature; without it, it is ours. */
static bool same_frame(const struct frame *ours, const struct frame *reference, bool *unstripped) {
  if (ours->exact != reference->exact || ours->lost != reference->lost) return false;
  if (ours->pc == reference->pc) return true;
  *unstripped = mh_strip(reference->pc) == ours->pc;
  return *unstripped;
}

static void compare_reference(struct mh_thread *t, const struct mh_entry *entry, unsigned count) {
  COUNT(referenced);
  bool corrected = false, unstripped = false;
  unsigned same = 0, other = reference(entry, t->reference, mh_depth_limit, &corrected);
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
    if (!nodes_set.keys) return;
    t = mh_map_private(sizeof *t);
    t->cached = mh_map_private(mh_stack_cache_bytes());
    t->rules = mh_map_private(mh_stack_cache_bytes());
    thread = t;
  }
  if (MH_UNLIKELY(counts_pid != mh_getpid())) open_report();
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
      say_stack("a rule cannot express", &frame, 1);
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
    count = unfold(fast, t->ours, &cut);
    say_stack("cached", t->ours, count);
    count = unfold(slow, t->ours, &cut);
    say_stack("rules", t->ours, count);
  }
  count = unfold(slow, t->ours, &cut);
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

/* Mappings: what the program maps for the stacks of its coroutines. */
static struct {
  uintptr_t start, end;
} mappings[256];
#define MAPPINGS (sizeof mappings / sizeof *mappings)
static struct mh_lock mappings_lock;
uint32_t mh_intervals_changes;

bool mh_intervals_around(uintptr_t address, uintptr_t *low, uintptr_t *high) {
  *low = *high = 0;
  if (!mh_lock_acquire_reentrant(&mappings_lock, (uint32_t)mh_gettid())) return false;
  for (unsigned i = 0; i < MAPPINGS; i++) {
    if (address < mappings[i].start || address >= mappings[i].end) continue;
    *low = mappings[i].start;
    *high = mappings[i].end;
  }
  mh_lock_release(&mappings_lock);
  return *high != 0;
}

/* Notes [start, end) in the place of what is in its way. */
static void change_mappings(uintptr_t start, uintptr_t end, bool mapped) {
  if (!mh_lock_acquire_reentrant(&mappings_lock, (uint32_t)mh_gettid())) return;
  __atomic_add_fetch(&mh_intervals_changes, 1, __ATOMIC_ACQ_REL);
  for (unsigned i = 0; i < MAPPINGS; i++) {
    if (mappings[i].start < end && mappings[i].end > start) mappings[i].start = mappings[i].end = 0;
    if (!mapped || mappings[i].end) continue;
    mappings[i].start = start;
    mappings[i].end = end;
    mapped = false;
  }
  mh_lock_release(&mappings_lock);
}

static long answer(long result) {
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

EXPORT void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset) {
  long start = answer(mh_syscall(SYS_mmap, (long)address, (long)bytes, protection, flags, fd, offset));
  if (start != -1) change_mappings((uintptr_t)start, (uintptr_t)start + bytes, flags & MAP_ANONYMOUS);
  return (void *)start;
}
EXPORT void *mmap64(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
    __attribute__((alias("mmap")));

EXPORT int munmap(void *start, size_t bytes) {
  change_mappings((uintptr_t)start, (uintptr_t)start + bytes, false);
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
  frames_set.keys = mh_map_private(8ull << frames_set.bits);
  stacks_set.keys = mh_map_private(8ull << stacks_set.bits);
  nodes_set.keys = mh_map_private(8ull << nodes_set.bits);
  if (!frames_set.keys || !stacks_set.keys || !nodes_set.keys) return;
  if (getenv("EXACTNESS_EVERY")) every = (unsigned)atoi(getenv("EXACTNESS_EVERY"));
  if (getenv("EXACTNESS_SAMPLE")) sample = (unsigned)atoi(getenv("EXACTNESS_SAMPLE"));
  if (getenv("EXACTNESS_DEPTH")) mh_depth_limit = (uint32_t)atoi(getenv("EXACTNESS_DEPTH"));
  frame_pointers = getenv("EXACTNESS_FP") != NULL;
  mh_walk_start();
  open_report();
  ready = true;
}
