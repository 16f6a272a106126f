/* Hooks: the C++ operators new and delete, by their mangled names.
 *
 * operator new calls malloc. Recorded here, the stack begins at the code with the `new` expression. operators.h decides
 * which definition is behind an operator, and so what its hook does. The real operator may throw through the hook's
 * frame. Then a personality routine of memhook's ends the hook and lowers the guard. So no landing pad and no C++
 * runtime is needed.
 */
#include "operators.h"

#include <stdint.h>

#include "hook.h"

/* _Unwind_Personality_Fn; 2 is _UA_CLEANUP_PHASE, 8 is _URC_CONTINUE_UNWIND. */
int mh_new_personality(int version, int actions, uint64_t language, void *exception, void *context)
    __attribute__((used));
int mh_new_personality(int version, int actions, uint64_t language, void *exception, void *context) {
  (void)version, (void)language, (void)exception, (void)context;
  if (actions & 2) mh_leave();
  return 8;
}

extern void *mh_own_malloc(size_t size);

#define IS_DIRECT(symbol) \
  MH_LIKELY(__atomic_load_n(&mh_operators[MH_OPERATOR(symbol)].way, __ATOMIC_ACQUIRE) == MH_WAY_DIRECT)
#define BEHIND(symbol) mh_operator_behind(MH_OPERATOR(symbol), (uintptr_t)__builtin_return_address(0))

/* A call, and not a jump: the operator that is called next finds its caller in mh_tls.operator_. */
#define CALL(call, arguments)                       \
  ({                                                \
    uintptr_t before_ = mh_tls.operator_;           \
    mh_tls.operator_ = (uintptr_t)call;             \
    void *result_ = call arguments; /* or throws */ \
    mh_tls.operator_ = before_;                     \
    result_;                                        \
  })

/* The slow path: all that the fast path below does not do. `direct` is for a hook with nothing behind it, `early` for
 * the time before that is known. */
#define NEW_SLOW(symbol, parameters, arguments, direct, early)                              \
  static __attribute__((noinline)) void *symbol##_slow parameters {                         \
    MH_ENDS_WHEN_THROWN;                                                                    \
    struct mh_operator behind = BEHIND(symbol);                                             \
    void *(*call) parameters = behind.function;                                             \
    if (MH_UNLIKELY(behind.way == MH_WAY_UNKNOWN)) return early;                            \
    if (behind.way == MH_WAY_THROUGH) __attribute__((musttail)) return call arguments;      \
    if (MH_UNLIKELY(!mh_enter(MH_HOOK_WRAP))) return call ? CALL(call, arguments) : direct; \
    if (behind.way == MH_WAY_DIRECT || !call) {                                             \
      void *block = direct;                                                                 \
      if (MH_LIKELY(block || !call)) MH_RETURN_RECORDED(block, size);                       \
      mh_tls.refused = size ? size : 1;                                                     \
    }                                                                                       \
    MH_RETURN_RECORDED(CALL(call, arguments), size);                                        \
  }

/* Each hook is three functions: the fast path; the slow path, to which it jumps; and one for when malloc has failed.
 * The last calls the C++ runtime's operator, which calls a new_handler, tries again, or throws. That operator begins
 * with the same call of malloc. malloc's hook knows that it has just failed (mh_tls.refused), so the allocator is
 * called as often as without memhook. */
#define ORDINARY mh_pass.malloc(size ? size : 1)
#define NEW(X, symbol, next, parameters, arguments)                                 \
  NEW_SLOW(symbol, parameters, arguments, ORDINARY, mh_own_malloc(size ? size : 1)) \
  static __attribute__((noinline)) void *symbol##_refused parameters {              \
    MH_ENDS_WHEN_THROWN;                                                            \
    struct mh_operator behind = BEHIND(symbol);                                     \
    void *(*call) parameters = behind.function;                                     \
    if (MH_UNLIKELY(!call)) return NULL;                                            \
    if (MH_UNLIKELY(!mh_enter(MH_HOOK_WRAP))) return CALL(call, arguments);         \
    mh_tls.refused = size ? size : 1;                                               \
    MH_RETURN_RECORDED(CALL(call, arguments), size);                                \
  }                                                                                 \
  MH_HOOK void *symbol parameters {                                                 \
    if (IS_DIRECT(symbol)) {                                                        \
      void *block = NULL;                                                           \
      if (mh_sample_passes(size)) {                                                 \
        block = ORDINARY;                                                           \
        if (MH_LIKELY(block != NULL)) return block;                                 \
        __attribute__((musttail)) return symbol##_refused arguments;                \
      }                                                                             \
      if (MH_LIKELY(mh_enter_fast(MH_HOOK_HEAP))) {                                 \
        block = ORDINARY;                                                           \
        if (MH_LIKELY(block != NULL)) MH_RETURN_RECORDED(block, size);              \
        mh_leave();                                                                 \
        __attribute__((musttail)) return symbol##_refused arguments;                \
      }                                                                             \
    }                                                                               \
    __attribute__((musttail)) return symbol##_slow arguments;                       \
  }

/* Never direct: only the runtime knows which alignments it refuses, and which function it calls with which size. */
#define ALIGNED(X, symbol, next, parameters, arguments)                                 \
  NEW_SLOW(symbol, parameters, arguments, mh_pass.memalign(alignment, size ? size : 1), \
                mh_early_allocate(size, alignment))                                     \
  MH_HOOK void *symbol parameters {                                                     \
    __attribute__((musttail)) return symbol##_slow arguments;                           \
  }

#define DELETE(X, symbol, next, parameters, arguments)                                 \
  static __attribute__((noinline)) void symbol##_slow parameters {                     \
    struct mh_operator behind = BEHIND(symbol);                                        \
    void (*call) parameters = behind.function;                                         \
    if (behind.way == MH_WAY_THROUGH) __attribute__((musttail)) return call arguments; \
    if (behind.way == MH_WAY_DIRECT || !call) {                                        \
      mh_own_free(block);                                                              \
      return;                                                                          \
    }                                                                                  \
    if (MH_LIKELY(block != NULL)) mh_hook_forget(block);                               \
    uintptr_t before = mh_tls.operator_;                                               \
    mh_tls.operator_ = (uintptr_t)call;                                                \
    call arguments;                                                                    \
    mh_tls.operator_ = before;                                                         \
  }                                                                                    \
  MH_HOOK void symbol parameters {                                                     \
    if (IS_DIRECT(symbol))                                                             \
      mh_own_free(block);                                                              \
    else                                                                               \
      symbol##_slow arguments;                                                         \
  }

MH_OPERATORS(NEW, ALIGNED, DELETE, )
