/* Who defines the C++ operators; see operators.h.
 *
 * A module looks a symbol up in what the program started with, in that order, memhook among it, and then in what
 * dlopen brought together with the module. So what is behind a hook is the same for all callers where the program
 * started with a C++ runtime. In others, as in an interpreter that loads modules in C++, it depends on who calls: a
 * module may come with operators of its own at any moment, while other threads call theirs, and the end of its loading
 * is not seen.
 */
#include "operators.h"

#include "../index/index.h"
#include "../life/loaded.h"
#include "operators_late.h"
#include "../life/real.h"
#include "../base/sys.h"

extern void *mh_own_malloc(size_t size);

struct found {
  bool before;      /* before memhook: who asks for it gets that one, not the hook */
  bool is_runtimes; /* the one behind is a C++ runtime's own */
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
  if (!survey->passed)
    survey->heap_before |= mh_loaded_function(module, "malloc") || mh_loaded_function(module, "free");
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) {
    struct found *found = &survey->found[id];
    if (found->behind) continue;
    const ElfW(Sym) *symbol = mh_loaded_symbol(module, mh_operator_names[id], survey->hashes[id], NULL);
    if (!symbol) continue;
    if (survey->passed) {
      found->behind = (void *)mh_loaded_address(module, symbol);
      found->is_runtimes = mh_operators_is_runtime(module);
    } else {
      found->before = survey->any_before = true;
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
    } while (holds_ && (at_ = mh_operators_next[at_]) != last_);            \
    holds_;                                                       \
  })

static enum mh_way decide(const struct survey *survey, unsigned id) {
  bool hooks = ON_THE_WAY(survey, id, !found->before);
  /* It may come with what is loaded later, and be another one for each. */
  if (hooks && !ON_THE_WAY(survey, id, found->behind)) return MH_WAY_BY_CALLER;
  if (hooks && ON_THE_WAY(survey, id, found->is_runtimes) && !mh_operators_heap_before)
    return mh_operators_runtime_way(id);
  return survey->any_before && survey->found[id].behind ? MH_WAY_THROUGH : MH_WAY_AROUND;
}

/* Decides all, once and for all: what another thread loads in the middle of this, or later, changes nothing. */
static void decide_all(void) {
  struct survey survey = {0};
  if (MH_GET(mh_operators[MH_OPERATOR_COUNT - 1].way) != MH_WAY_UNKNOWN) return;
  if (!mh_real_found()) mh_real_find();
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) survey.hashes[id] = mh_symbols_hash(mh_operator_names[id]);
  if (!mh_loaded_each(survey_module, &survey)) return;
  MH_SET(mh_operators_heap_before, survey.heap_before);
  for (unsigned id = 0; id < MH_OPERATOR_COUNT; id++) {
    const struct found *found = &survey.found[id];
    enum mh_way way = decide(&survey, id);
    if (MH_GET(mh_operators[id].way) != MH_WAY_UNKNOWN) continue;
    if (found->behind && !found->is_runtimes) mh_index_no_grid();
    if (way == MH_WAY_BY_CALLER) MH_SET(mh_operators_late, true);
    __atomic_store_n(&mh_operators[id].function, found->behind, __ATOMIC_RELAXED);
    __atomic_store_n(&mh_operators[id].way, way, __ATOMIC_RELEASE);
  }
}

struct mh_operator mh_operator_behind(enum mh_operator_id id, uintptr_t caller) {
  struct mh_operator *known = &mh_operators[id];
  uint32_t way = __atomic_load_n(&known->way, __ATOMIC_ACQUIRE);
  if (MH_UNLIKELY(way == MH_WAY_UNKNOWN)) {
    decide_all();
    way = __atomic_load_n(&known->way, __ATOMIC_ACQUIRE);
  }
  if (MH_UNLIKELY(way == MH_WAY_BY_CALLER)) return mh_operator_late(id, caller);
  return (struct mh_operator){.function = MH_GET(known->function), .way = way};
}

void mh_operators_loading(bool global) {
  decide_all();
  mh_operators_look_global();
  if (global) MH_SET(mh_operators_global, true);
}

/* What the program started with is all there, and nothing else yet. */
__attribute__((constructor)) static void note_start(void) {
  decide_all();
}
