/* The C++ operators new and delete: who defines them, and so what a hook of one of them may do.
 *
 * Each may be replaced by the program, and the C++ runtime's own call each other, so that to replace one is to
 * replace those that lead to it:
 *
 *     new[](nothrow) ──▶ new[] ──▶ new ──▶ malloc          delete[](sized) ──▶ delete[] ──▶ delete ──▶ free
 *     new(nothrow) ────────────▶ new                       delete(sized), delete(nothrow) ──▶ delete
 *     aligned ones ──▶ their aligned twins                 aligned ones ──▶ their aligned twins
 *
 * The definitions are read from the symbol tables of what is loaded, in the loader's order. The loader's own lookup
 * takes its lock, which a thread may hold that waits for this one.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* symbol, and to which one a runtime's own forwards: itself if to none. */
#define MH_OPERATORS(O)                                                          \
  O(_Znwm, _Znwm)                                                                \
  O(_Znam, _Znwm)                                                                \
  O(_ZnwmRKSt9nothrow_t, _Znwm)                                                  \
  O(_ZnamRKSt9nothrow_t, _Znam)                                                  \
  O(_ZnwmSt11align_val_t, _ZnwmSt11align_val_t)                                  \
  O(_ZnamSt11align_val_t, _ZnwmSt11align_val_t)                                  \
  O(_ZnwmSt11align_val_tRKSt9nothrow_t, _ZnwmSt11align_val_t)                    \
  O(_ZnamSt11align_val_tRKSt9nothrow_t, _ZnamSt11align_val_t)                    \
  O(_ZdlPv, _ZdlPv)                                                              \
  O(_ZdaPv, _ZdlPv)                                                              \
  O(_ZdlPvm, _ZdlPv)                                                             \
  O(_ZdaPvm, _ZdaPv)                                                             \
  O(_ZdlPvRKSt9nothrow_t, _ZdlPv)                                                \
  O(_ZdaPvRKSt9nothrow_t, _ZdaPv)                                                \
  O(_ZdlPvSt11align_val_t, _ZdlPvSt11align_val_t)                                \
  O(_ZdaPvSt11align_val_t, _ZdlPvSt11align_val_t)                                \
  O(_ZdlPvmSt11align_val_t, _ZdlPvSt11align_val_t)                               \
  O(_ZdaPvmSt11align_val_t, _ZdaPvSt11align_val_t)                               \
  O(_ZdlPvSt11align_val_tRKSt9nothrow_t, _ZdlPvSt11align_val_t)                  \
  O(_ZdaPvSt11align_val_tRKSt9nothrow_t, _ZdaPvSt11align_val_t)

#define MH_OPERATOR(symbol) MH_OPERATOR_##symbol
enum mh_operator_id {
#define O(symbol, next) MH_OPERATOR(symbol),
  MH_OPERATORS(O)
#undef O
  MH_OPERATOR_COUNT,
};

/* What a hook does. */
enum mh_way {
  MH_WAY_UNKNOWN,   /* not decided */
  MH_WAY_DIRECT,    /* nobody replaced any operator on the way to malloc or free: their real ones are called */
  MH_WAY_AROUND,    /* calls what is behind it; the block is what comes of that, whatever is allocated inside */
  MH_WAY_THROUGH,   /* leaves it to what is behind it: the program has operators of its own that it calls past the hooks.
                       What these take from malloc is recorded there, and forgotten there, whoever calls them. */
  MH_WAY_BY_CALLER, /* depends on who calls */
};

struct mh_operator {
  void *function; /* the one behind the hook; NULL if there is none */
  uint32_t way;
};
extern struct mh_operator mh_operators[MH_OPERATOR_COUNT];

/* What the hook does that was called from `caller`; decides it when it is first asked. UNKNOWN: memhook has not
 * come so far. */
struct mh_operator mh_operator_behind(enum mh_operator_id id, uintptr_t caller);

/* Their symbols. */
extern const char *const mh_operator_names[MH_OPERATOR_COUNT];

/* To be called before modules are loaded, and after they are unloaded. `global`: what is loaded comes into the order
 * that is the same for all of the program (RTLD_GLOBAL). */
void mh_operators_loading(bool global);
