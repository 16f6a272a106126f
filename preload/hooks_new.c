/* Hooks: the C++ operators new and delete, by their mangled names.
 *
 * operator new calls malloc; recorded here, a stack begins at the code that wrote `new`. The real operator may throw
 * through the hook's frame. A personality routine of our own, which only ends the hook, keeps the guard right then,
 * with no landing pad and no dependency on a C++ runtime.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* dladdr */
#endif
#include <dlfcn.h>
#include <stdint.h>

#include "hook.h"
#include "text.h"

struct nothrow;

/* _Unwind_Personality_Fn; 2 is _UA_CLEANUP_PHASE, 8 is _URC_CONTINUE_UNWIND. */
int mh_new_personality(int version, int actions, uint64_t language, void *exception, void *context) __attribute__((used));
int mh_new_personality(int version, int actions, uint64_t language, void *exception, void *context) {
  (void)version, (void)language, (void)exception, (void)context;
  if (actions & 2) mh_leave();
  return 8;
}
/* 0x1b: pc-relative, four bytes. */
#define ENDS_WHEN_THROWN __asm__ volatile(".cfi_personality 0x1b, mh_new_personality")

extern void *mh_own_malloc(size_t size); /* our hook, whatever the program calls malloc */

/* Whether the operator is a C++ runtime's own, which does nothing but call malloc or free, and those are our hooks: then we
 * call what is behind the hooks, and spare the way through the operator and through the hook again. */
static bool is_plain(void *operator_) {
  if (!operator_) return true;
  if (dlsym(RTLD_DEFAULT, "malloc") != (void *)mh_own_malloc) return false;
  Dl_info where;
  if (!dladdr(operator_, &where) || !where.dli_fname) return false;
  const char *name = where.dli_fname;
  for (const char *at = name; *at; at++)
    if (*at == '/') name = at + 1;
  return mh_starts(name, "libstdc++.so") || mh_starts(name, "libc++.so") || mh_starts(name, "libc++abi.so");
}

/* The operator behind a hook, looked up when it is first called. There may be none that could be found: a library that was loaded
 * privately has a C++ runtime of its own inside. malloc and free serve it as well. */
struct real {
  void *function; /* NULL until it is found */
  bool plain;     /* malloc or free does it */
  bool both;      /* it was found, and is plain */
};

static void *find(struct real *real, const char *symbol) {
  void *known = __atomic_load_n(&real->function, __ATOMIC_ACQUIRE);
  if (known) return known;
  if (!mh_real.malloc) mh_real_find();
  void *found = mh_real_next(symbol, "libstdc++.so.6");
  if (!found) found = mh_real_next(symbol, "libc++.so.1");
  bool plain = is_plain(found);
  if (!plain) mh_index_no_grid();
  __atomic_store_n(&real->plain, plain, __ATOMIC_RELAXED);
  /* A runtime may still be loaded later. */
  __atomic_store_n(&real->function, found, __ATOMIC_RELEASE);
  __atomic_store_n(&real->both, plain && found != NULL, __ATOMIC_RELEASE);
  return found;
}

/* Each is two functions, as malloc is: the second, to which the first jumps, does whatever is not what happens nearly always. */
#define NEW(symbol, parameters, arguments, direct)                                                  \
  static struct real symbol##_real;                                                                 \
  static __attribute__((noinline)) void *symbol##_unusually parameters {                            \
    ENDS_WHEN_THROWN;                                                                               \
    void *(*call) parameters = find(&symbol##_real, #symbol);                                       \
    if (MH_UNLIKELY(!mh_enter(MH_HOOK_WRAP))) return call ? call arguments : direct;                \
    void *block = MH_GET(symbol##_real.plain) ? direct : NULL;                                      \
    if (!block && call) block = call arguments; /* or throws */                                     \
    MH_RETURN_RECORDED(block, size);                                                                \
  }                                                                                                 \
  MH_HOOK void *symbol parameters {                                                                 \
    if (MH_LIKELY(__atomic_load_n(&symbol##_real.both, __ATOMIC_ACQUIRE))) {                        \
      void *block = NULL;                                                                           \
      if (mh_sample_passes(size)) {                                                                 \
        block = direct;                                                                             \
        if (MH_LIKELY(block != NULL)) return block;                                                 \
      } else if (MH_LIKELY(mh_enter_plainly(MH_HOOK_HEAP))) {                                       \
        block = direct;                                                                             \
        if (MH_LIKELY(block != NULL)) MH_RETURN_RECORDED(block, size);                              \
        mh_leave();                                                                                 \
      }                                                                                             \
    }                                                                                               \
    __attribute__((musttail)) return symbol##_unusually arguments;                                  \
  }

#define DELETE(symbol, parameters, arguments)                                \
  static struct real symbol##_real;                                          \
  static __attribute__((noinline)) void symbol##_unusually parameters {      \
    void (*call) parameters = find(&symbol##_real, #symbol);                 \
    if (MH_GET(symbol##_real.plain)) {                                       \
      mh_own_free(block);                                                    \
    } else {                                                                 \
      if (MH_LIKELY(block != NULL)) mh_hook_forget(block);                   \
      call arguments;                                                        \
    }                                                                        \
  }                                                                          \
  MH_HOOK void symbol parameters {                                           \
    if (MH_LIKELY(__atomic_load_n(&symbol##_real.both, __ATOMIC_ACQUIRE)))   \
      mh_own_free(block);                                                    \
    else                                                                     \
      symbol##_unusually arguments;                                          \
  }

#define PLAIN mh_pass.malloc(size ? size : 1)
NEW(_Znwm, (size_t size), (size), PLAIN)
NEW(_Znam, (size_t size), (size), PLAIN)
NEW(_ZnwmRKSt9nothrow_t, (size_t size, const struct nothrow *tag), (size, tag), PLAIN)
NEW(_ZnamRKSt9nothrow_t, (size_t size, const struct nothrow *tag), (size, tag), PLAIN)

#define ALIGNED mh_pass.memalign(alignment, size ? size : 1)
NEW(_ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment), ALIGNED)
NEW(_ZnamSt11align_val_t, (size_t size, size_t alignment), (size, alignment), ALIGNED)
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const struct nothrow *tag), (size, alignment, tag), ALIGNED)
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const struct nothrow *tag), (size, alignment, tag), ALIGNED)

DELETE(_ZdlPv, (void *block), (block))
DELETE(_ZdaPv, (void *block), (block))
DELETE(_ZdlPvm, (void *block, size_t size), (block, size))
DELETE(_ZdaPvm, (void *block, size_t size), (block, size))
DELETE(_ZdlPvRKSt9nothrow_t, (void *block, const struct nothrow *tag), (block, tag))
DELETE(_ZdaPvRKSt9nothrow_t, (void *block, const struct nothrow *tag), (block, tag))
DELETE(_ZdlPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))
DELETE(_ZdaPvSt11align_val_t, (void *block, size_t alignment), (block, alignment))
DELETE(_ZdlPvmSt11align_val_t, (void *block, size_t size, size_t alignment), (block, size, alignment))
DELETE(_ZdaPvmSt11align_val_t, (void *block, size_t size, size_t alignment), (block, size, alignment))
DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const struct nothrow *tag), (block, alignment, tag))
DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, (void *block, size_t alignment, const struct nothrow *tag), (block, alignment, tag))
