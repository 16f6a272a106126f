/* Who defines the C++ operators; see operators.h.
 *
 * A module looks a symbol up in what the program started with, in that order, memhook among it, and then in what
 * dlopen brought together with the module. So what is behind a hook is the same for all callers where the program
 * started with a C++ runtime. In others, as in an interpreter that loads modules in C++, it is the runtime that came
 * with one of them, unless a module has operators of its own: then it depends on who calls.
 */
#include "operators.h"

#include "index.h"
#include "loaded.h"
#include "operators_late.h"
#include "real.h"
#include "sys.h"
#include "text.h"

extern void *mh_own_malloc(size_t size);

struct mh_operator mh_operators[MH_OPERATOR_COUNT];

const char *const mh_operator_names[] = {
#define O(symbol, next) #symbol,
    MH_OPERATORS(O)
#undef O
};

static const uint8_t next_of[] = {
#define O(symbol, next) MH_OPERATOR(next),
    MH_OPERATORS(O)
#undef O
};

static uint32_t started_with = UINT32_MAX; /* modules, when the program began */
static bool changes;                       /* what is known may change with what dlopen loads */

bool mh_operators_runtime(const struct mh_loaded *module) {
  const char *file = module->file;
  return mh_starts(file, "libstdc++.so") || mh_starts(file, "libc++.so") || mh_starts(file, "libc++abi.so");
}

struct found {
  bool before;   /* before memhook: who asks for it gets that one, not the hook */
  bool plain;    /* the one behind is a runtime's own */
  bool late;     /* it was not there from the start, */
  bool private_; /* and is not the only one */
  void *behind;
};

struct survey {
  uint32_t hashes[MH_OPERATOR_COUNT];
  bool passed; /* memhook itself */
  bool heap_before, any_before;
  struct found found[MH_OPERATOR_COUNT];
};

static bool survey_module(const struct mh_loaded *module, void *data) {
  struct survey *survey = data;
  if (!survey->passed && mh_loaded_holds(module, (uintptr_t)mh_own_malloc)) return survey->passed = true;
  bool runtime = mh_operators_runtime(module), late = module->index >= MH_GET(started_with);
  if (!survey->passed) survey->heap_before |= mh_loaded_function(module, "malloc") || mh_loaded_function(module, "free");
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) {
    struct found *found = &survey->found[id];
    if (found->behind && !found->late) continue;
    const ElfW(Sym) *symbol = mh_loaded_symbol(module, mh_operator_names[id], survey->hashes[id], NULL);
    if (!symbol) continue;
    void *function = (void *)mh_loaded_address(module, symbol);
    if (!survey->passed) {
      found->before = survey->any_before = true;
    } else if (!found->behind) {
      found->behind = function;
      found->plain = runtime;
      found->late = late;
      found->private_ = late && !runtime;
    } else {
      found->private_ |= !runtime;
    }
  }
  return true;
}

/* Whether the condition holds for an operator and each that it leads to. */
#define ON_THE_WAY(survey, id, condition)                         \
  ({                                                              \
    bool holds_;                                                  \
    unsigned at_ = (id), last_;                                   \
    do {                                                          \
      const struct found *found = &(survey)->found[last_ = at_];  \
      holds_ = (condition);                                       \
    } while (holds_ && (at_ = next_of[at_]) != last_);            \
    holds_;                                                       \
  })

static bool allocates_aligned(unsigned id) {
  return id >= MH_OPERATOR(_ZnwmSt11align_val_t) && id <= MH_OPERATOR(_ZnamSt11align_val_tRKSt9nothrow_t);
}

static enum mh_way decide(const struct survey *survey, unsigned id) {
  if (!ON_THE_WAY(survey, id, !found->private_)) return MH_WAY_BY_CALLER;
  bool hooks = ON_THE_WAY(survey, id, !found->before);
  /* Which alignments are refused, and who is asked for how much, each runtime knows for itself. */
  if (hooks && ON_THE_WAY(survey, id, found->plain) && !survey->heap_before)
    return allocates_aligned(id) ? MH_WAY_AROUND : MH_WAY_DIRECT;
  return survey->any_before && survey->found[id].behind ? MH_WAY_THROUGH : MH_WAY_AROUND;
}

static void decide_all(void) {
  struct survey survey = {0};
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) survey.hashes[id] = mh_loaded_hash(mh_operator_names[id]);
  if (!mh_loaded_each(survey_module, &survey)) return;
  bool late = false, foreign = false;
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) {
    const struct found *found = &survey.found[id];
    late |= found->late || !found->behind;
    foreign |= found->private_ || (found->behind && !found->plain);
  }
  __atomic_store_n(&changes, late, __ATOMIC_RELAXED);
  if (foreign) mh_index_no_grid();
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) {
    __atomic_store_n(&mh_operators[id].function, survey.found[id].behind, __ATOMIC_RELAXED);
    __atomic_store_n(&mh_operators[id].way, decide(&survey, id), __ATOMIC_RELEASE);
  }
}

void mh_operators_modules_change(bool global) {
  if (global) MH_SET(mh_operators_global, true);
  if (!__atomic_load_n(&changes, __ATOMIC_RELAXED)) return;
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) MH_SET(mh_operators[id].way, MH_WAY_UNKNOWN);
}

struct mh_operator mh_operator_behind(enum mh_operator_id id, uintptr_t caller) {
  struct mh_operator *known = &mh_operators[id];
  uint32_t way = __atomic_load_n(&known->way, __ATOMIC_ACQUIRE);
  if (MH_UNLIKELY(way == MH_WAY_UNKNOWN)) {
    if (!mh_real_found()) mh_real_find();
    decide_all();
    way = __atomic_load_n(&known->way, __ATOMIC_ACQUIRE);
  }
  if (MH_UNLIKELY(way == MH_WAY_BY_CALLER))
    return (struct mh_operator){.function = mh_operator_late(id, caller), .way = MH_WAY_AROUND};
  return (struct mh_operator){.function = MH_GET(known->function), .way = way};
}

static bool count_module(const struct mh_loaded *module, void *data) {
  *(uint32_t *)data = module->index + 1;
  return true;
}

__attribute__((constructor)) static void note_start(void) {
  uint32_t count = UINT32_MAX;
  mh_real_find();
  mh_loaded_each(count_module, &count);
  MH_SET(started_with, count);
}
