/* Who defines the C++ operators; see operators.h.
 *
 * The loader looks a module's symbol up first in what the program started with, memhook included, and then in what
 * dlopen loaded together with the module. So if the program started with a C++ runtime, the definition behind a hook is
 * the same for all callers. In other programs, as in an interpreter that loads modules in C++, it depends on the
 * caller: a module may bring operators of its own at any moment, while other threads call theirs. And memhook does not
 * see when the loading has ended.
 */
#include "operators.h"

#include "../index/index.h"
#include "../life/loaded.h"
#include "operators_late.h"
#include "../life/real.h"
#include "../base/sys.h"

extern void *mh_own_malloc(size_t size);

struct found {
  bool before;      /* a definition precedes memhook's: calls reach that one, not the hook */
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
  /* It may be loaded later, and differ between callers. */
  if (hooks && !ON_THE_WAY(survey, id, found->behind)) return MH_WAY_BY_CALLER;
  if (hooks && ON_THE_WAY(survey, id, found->is_runtimes) && !mh_operators_heap_before)
    return mh_operators_runtime_way(id);
  return survey->any_before && survey->found[id].behind ? MH_WAY_THROUGH : MH_WAY_AROUND;
}

/* Decides for all operators, once: what another thread loads meanwhile, or later, changes nothing. */
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

/* Now all that the program starts with is loaded, and nothing else. */
__attribute__((constructor)) static void note_start(void) {
  decide_all();
}
