/* The operators of modules that dlopen loaded; see operators_late.h.
 *
 * For each of the modules that one dlopen loads, the loader looks first in the opened module, then in those that it is
 * linked with, in their order. So a C++ runtime that came with a plugin calls the plugin's operators. Which module was
 * opened is not known: one that is linked with the caller and was loaded before it is taken for it. A runtime's
 * operator may jump to the next one, which then seems to be called by memhook. The results are cached: there are few
 * callers.
 */
#include "operators_late.h"

#include "../index/index.h"
#include "../stacks/modules.h"
#include "../life/real.h"
#include "../base/sys.h"
#include "../threads/thread.h"

/* How near a definition is to a caller. */
enum {
  OF_THE_OPENED = 0,
  ITS_OWN = 1,
  LINKED_WITH = 2, /* plus its place among those */
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
  return mh_operators_is_runtime(module) ? OF_A_RUNTIME : OF_ANYBODY;
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

/* A result in one word: the function, and DIRECT if it and each that it leads to are a C++ runtime's own. */
typedef uintptr_t word;
#define DIRECT ((word)1 << 63)

static struct mh_operator operator_of(enum mh_operator_id id, word found) {
  void *function = (void *)(found & ~DIRECT);
  uint32_t way = found & DIRECT ? mh_operators_runtime_way(id) : MH_WAY_AROUND;
  return (struct mh_operator){.function = function, .way = way};
}

struct own {
  uintptr_t start, end;
};

/* An entry is written by the thread that has changed its key to BUSY. */
struct answer {
  uint64_t key;
  uint32_t generation;
  word found;
};
#define ANSWERS 256
#define BUSY UINT64_MAX
static struct answer answers[ANSWERS];

bool mh_operators_late, mh_operators_global;

/* The operators of modules loaded with RTLD_GLOBAL, which the loader binds first. They are not looked up when an
 * operator is called: a thread that loads a module has the loader's lock while the module's constructors run, and these
 * may wait for the caller. */
static word global[MH_OPERATOR_COUNT];

struct owner {
  void *function;
  bool is_runtimes; /* it is a C++ runtime's own */
};

/* If it is not a runtime's, its blocks may begin anywhere. */
static bool find_owner(const struct mh_loaded *module, void *data) {
  struct owner *owner = data;
  if (!mh_loaded_holds(module, (uintptr_t)owner->function)) return true;
  owner->is_runtimes = mh_operators_is_runtime(module);
  if (!owner->is_runtimes) mh_index_no_grid();
  return false;
}

void mh_operators_look_global(void) {
  struct owner owners[MH_OPERATOR_COUNT] = {0};
  if (!MH_GET(mh_operators_late) || !MH_GET(mh_operators_global)) return;
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) {
    if (MH_GET(mh_operators[id].way) != MH_WAY_BY_CALLER) continue;
    owners[id].function = mh_real_next(mh_operator_names[id]);
    if (owners[id].function) mh_loaded_each(find_owner, &owners[id]);
  }
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) {
    unsigned next = mh_operators_next[id], last = mh_operators_next[next];
    bool direct = owners[id].is_runtimes && owners[next].is_runtimes && owners[last].is_runtimes;
    MH_SET(global[id], (word)owners[id].function | (direct ? DIRECT : 0));
  }
}

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

static struct owner find(enum mh_operator_id id, uintptr_t caller) {
  struct search search = {.name = mh_operator_names[id], .pc = caller};
  mh_loaded_each(find_caller, &search);
  mh_loaded_each(find_nearest, &search);
  struct owner owner = {.function = search.function};
  if (owner.function) mh_loaded_each(find_owner, &owner);
  return owner;
}

/* The operator for the caller, and each one to which it leads. */
static word find_all(enum mh_operator_id id, uintptr_t caller) {
  struct owner owner = find(id, caller), at = owner;
  for (unsigned next; at.is_runtimes && (next = mh_operators_next[id]) != id; id = next)
    at = find(next, (uintptr_t)at.function);
  return (word)owner.function | (at.is_runtimes ? DIRECT : 0);
}

struct mh_operator mh_operator_late(enum mh_operator_id id, uintptr_t caller) {
  word first = MH_GET(global[id]);
  if (first) return operator_of(id, first);
  if (is_memhook(caller)) caller = mh_tls.operator_;
  /* No two modules share a page. */
  uint64_t key = caller >> 12 << 5 | id;
  struct answer *answer = &answers[key * 0x9e3779b97f4a7c15u >> 56];
  uint32_t generation = MH_GET(mh_generation);
  uint64_t before = __atomic_load_n(&answer->key, __ATOMIC_ACQUIRE);
  if (MH_LIKELY(before == key)) {
    word found = MH_GET(answer->found);
    bool current = MH_GET(answer->generation) == generation;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    if (MH_LIKELY(current && MH_GET(answer->key) == key)) return operator_of(id, found);
  }
  word found = find_all(id, caller);
  if (before != BUSY &&
      __atomic_compare_exchange_n(&answer->key, &before, BUSY, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    MH_SET(answer->found, found);
    MH_SET(answer->generation, generation);
    __atomic_store_n(&answer->key, key, __ATOMIC_RELEASE);
  }
  return operator_of(id, found);
}
