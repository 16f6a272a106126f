/* The operators of modules that dlopen brought; see operators_late.h.
 *
 * The loader looks in the module that was opened, then in those that it is linked with, in their order: for each of
 * them alike, so a C++ runtime that came with a plugin calls the plugin's operators. Which one was opened is not
 * known; that is taken for it which is linked with the caller and was loaded before it. A runtime's operator may jump to
 * the next one, which then seems to be called by memhook. The answers are kept: there are few callers.
 */
#include "operators_late.h"

#include "modules.h"
#include "real.h"
#include "sys.h"
#include "thread.h"

/* How near a definition is to a caller. */
enum {
  OF_THE_OPENED = 0,
  ITS_OWN = 1,
  LINKED_WITH = 2, /* and its place among those */
  OF_A_RUNTIME = UINT32_MAX - 1,
  OF_ANYBODY = UINT32_MAX,
};

struct search {
  const char *name;
  uintptr_t pc;
  bool known;              /* the module of the caller: */
  struct mh_loaded caller; /* it is being executed, so it stays */
  uint32_t nearest;
  void *function;
};

static bool find_caller(const struct mh_loaded *module, void *data) {
  struct search *search = data;
  if (!mh_loaded_holds(module, search->pc)) return true;
  search->caller = *module;
  search->known = true;
  return false;
}

static uint32_t distance(const struct search *search, const struct mh_loaded *module) {
  const struct mh_loaded *caller = &search->caller;
  if (search->known) {
    if (module->index < caller->index && mh_loaded_needs(module, caller->file) != UINT32_MAX) return OF_THE_OPENED;
    if (module->index == caller->index) return ITS_OWN;
    uint32_t place = mh_loaded_needs(caller, module->file);
    if (place != UINT32_MAX) return LINKED_WITH + place;
  }
  return mh_operators_runtime(module) ? OF_A_RUNTIME : OF_ANYBODY;
}

static bool find_nearest(const struct mh_loaded *module, void *data) {
  struct search *search = data;
  if (mh_loaded_holds(module, (uintptr_t)mh_operators)) return true; /* memhook itself */
  void *function = mh_loaded_function(module, search->name);
  if (!function) return true;
  uint32_t here = distance(search, module);
  if (!search->function || here < search->nearest) {
    search->nearest = here;
    search->function = function;
  }
  return true;
}

struct own {
  uintptr_t start, end;
};

/* A place is written by whoever changes its key to BUSY, and left alone by others. */
struct answer {
  uint64_t key;
  uint32_t generation;
  void *function;
};
#define ANSWERS 256
#define BUSY UINT64_MAX
static struct answer answers[ANSWERS];

bool mh_operators_global;

static bool find_own(const struct mh_loaded *module, void *data) {
  struct own *found = data;
  if (!mh_loaded_holds(module, (uintptr_t)mh_operators)) return true;
  mh_loaded_range(module, &found->start, &found->end);
  return false;
}

static bool is_memhook(uintptr_t pc) {
  static struct own own;
  if (MH_UNLIKELY(!__atomic_load_n(&own.end, __ATOMIC_ACQUIRE))) {
    struct own found = {0};
    mh_loaded_each(find_own, &found);
    MH_SET(own.start, found.start);
    __atomic_store_n(&own.end, found.end, __ATOMIC_RELEASE);
  }
  return pc - own.start < own.end - own.start;
}

void *mh_operator_late(enum mh_operator_id id, uintptr_t caller) {
  if (is_memhook(caller)) caller = mh_tls.operator_;
  /* No two modules share a page. */
  uint64_t key = caller >> 12 << 5 | id;
  struct answer *answer = &answers[key * 0x9e3779b97f4a7c15u >> 56];
  uint32_t generation = MH_GET(mh_generation);
  uint64_t before = __atomic_load_n(&answer->key, __ATOMIC_ACQUIRE);
  if (MH_LIKELY(before == key)) {
    void *function = MH_GET(answer->function);
    bool current = MH_GET(answer->generation) == generation;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (MH_LIKELY(current && MH_GET(answer->key) == key)) return function;
  }
  /* With that order the loader begins. It is asked only here, because of its lock. */
  void *global = MH_GET(mh_operators_global) ? mh_real_next(mh_operator_names[id]) : NULL;
  if (global) return global;
  struct search search = {.name = mh_operator_names[id], .pc = caller};
  mh_loaded_each(find_caller, &search);
  mh_loaded_each(find_nearest, &search);
  if (before == BUSY) return search.function;
  if (__atomic_compare_exchange_n(&answer->key, &before, BUSY, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    MH_SET(answer->function, search.function);
    MH_SET(answer->generation, generation);
    __atomic_store_n(&answer->key, key, __ATOMIC_RELEASE);
  }
  return search.function;
}
