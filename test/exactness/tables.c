/* Stands in for memhook's tables: modules, interned stacks and mappings, each by the simplest thing that can be
 * right. */
#define _GNU_SOURCE
#include <link.h>
#include <stdio.h>
#include <string.h>

#include "../../preload/base/lock.h"
#include "../../preload/base/sys.h"
#include "../../preload/index/intervals.h"
#include "../../preload/stacks/intern.h"
#include "../../preload/stacks/modules.h"
#include "../../preload/unwind/origin.h"
#include "exactness.h"
#include "layout.h"

/* ── Modules: what the loader says, copied ─────────────────────────────────────────────────────── */

uint32_t mh_generation = 1;
__thread uint64_t mh_tls[64]; /* room for the thread's state, which cfi.c uses */

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

const struct mh_module *module_find(uintptr_t pc) {
  struct module_list *now = __atomic_load_n(&list, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; now && i < now->count; i++)
    if (pc >= now->modules[i].text_start && pc < now->modules[i].text_end) return &now->modules[i];
  return NULL;
}

const struct mh_module *mh_module_at(uintptr_t pc) {
  if (!list || list->generation != __atomic_load_n(&mh_generation, __ATOMIC_RELAXED)) mh_modules_refresh();
  const struct mh_module *module = module_find(pc);
  if (!module) {
    mh_modules_refresh();
    module = module_find(pc);
  }
  return module;
}

const char *module_name(const struct mh_module *module) {
  struct module_list *of = module >= lists[0].modules && module < lists[0].modules + 1000 ? &lists[0] : &lists[1];
  return of->names[module - of->modules];
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

unsigned stack_frames(uint32_t stack, struct frame *frames, bool *cut) {
  uint64_t key = stacks_set.keys[stack];
  *cut = key & 1;
  unsigned count = 0;
  for (uint32_t node = (uint32_t)(key >> 1); node && count < FRAMES_MAX;) {
    uint64_t pair = nodes_set.keys[node];
    uint64_t frame = frames_set.keys[(uint32_t)pair];
    frames[count++] = (struct frame){
        .pc = frame >> 2, .exact = frame & MH_FRAME_FLAG_EXACT, .lost = frame & MH_FRAME_FLAG_LOST};
    node = (uint32_t)(pair >> 32);
  }
  return count;
}

/* ── Mappings: what the program maps for the stacks of its coroutines ──────────────────────────── */

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

/* What overlaps is forgotten. */
void mappings_change(uintptr_t start, uintptr_t end, bool mapped) {
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

bool tables_make(void) {
  frames_set.keys = mh_map_private(8ull << frames_set.bits);
  stacks_set.keys = mh_map_private(8ull << stacks_set.bits);
  nodes_set.keys = mh_map_private(8ull << nodes_set.bits);
  return frames_set.keys && stacks_set.keys && nodes_set.keys;
}
