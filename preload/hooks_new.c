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
__attribute__((used, visibility("hidden"))) int mh_new_personality(int version, int actions, uint64_t language, void *exception,
                                                                   void *context) {
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
  void *function;
  bool plain;
  bool known;
};

static void *find(struct real *real, const char *symbol) {
  if (__atomic_load_n(&real->known, __ATOMIC_ACQUIRE)) return real->function;
  if (!mh_real.malloc) mh_real_find();
  void *found = mh_real_next(symbol, "libstdc++.so.6");
  if (!found) found = mh_real_next(symbol, "libc++.so.1");
  real->function = found;
  bool plain = is_plain(found);
  if (!plain) mh_index_no_grid();
  __atomic_store_n(&real->plain, plain, __ATOMIC_RELAXED);
  /* A runtime may still be loaded later. */
  __atomic_store_n(&real->known, found != NULL, __ATOMIC_RELEASE);
  return found;
}

/* Whether malloc or free does it: asked first, for they nearly always do. */
static inline bool is_known_plain(struct real *real, const char *symbol) {
  if (MH_LIKELY(__atomic_load_n(&real->plain, __ATOMIC_RELAXED) && real->known)) return true;
  find(real, symbol);
  return __atomic_load_n(&real->plain, __ATOMIC_RELAXED);
}

#define NEW(symbol, parameters, arguments, direct)                         \
  MH_HOOK void *symbol parameters {                                        \
    ENDS_WHEN_THROWN;                                                      \
    static struct real real;                                               \
    bool plain = is_known_plain(&real, #symbol);                           \
    if (MH_LIKELY(plain) && mh_sample_passes(size)) {                      \
      void *passed = direct;                                               \
      if (MH_LIKELY(passed != NULL)) return passed;                        \
    }                                                                      \
    void *(*call) parameters;                                              \
    if (MH_UNLIKELY(!mh_enter(MH_HOOK_WRAP))) return (call = find(&real, #symbol)) ? call arguments : direct; \
    void *block = MH_LIKELY(plain) ? direct : NULL;                        \
    if (MH_UNLIKELY(!block) && (call = find(&real, #symbol))) block = call arguments; /* or throws */ \
    MH_RETURN_RECORDED(block, size);                                       \
  }

#define DELETE(symbol, parameters, arguments)        \
  MH_HOOK void symbol parameters {                   \
    static struct real real;                         \
    if (MH_LIKELY(is_known_plain(&real, #symbol))) { \
      mh_own_free(block);                            \
      return;                                        \
    }                                                \
    if (MH_LIKELY(block != NULL)) mh_hook_forget(block); \
    void (*call) parameters = find(&real, #symbol);  \
    call arguments;                                  \
  }

#define PLAIN mh_real.malloc(size ? size : 1)
NEW(_Znwm, (size_t size), (size), PLAIN)
NEW(_Znam, (size_t size), (size), PLAIN)
NEW(_ZnwmRKSt9nothrow_t, (size_t size, const struct nothrow *tag), (size, tag), PLAIN)
NEW(_ZnamRKSt9nothrow_t, (size_t size, const struct nothrow *tag), (size, tag), PLAIN)

#define ALIGNED mh_real.memalign(alignment, size ? size : 1)
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
