/* Hooks: the C++ operators new and delete, by their mangled names.
 *
 * operator new calls malloc; recorded here, a stack begins at the code that wrote `new`. The real operator may throw
 * through the hook's frame. A personality routine of our own, which only ends the hook, keeps the guard right then,
 * with no landing pad and no dependency on a C++ runtime.
 */
#include <stdint.h>

#include "hook.h"

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

/* Where the real operator is, looked up when it is first called. Without any (nobody defines it) malloc and free serve. */
static void *find(void **real, const char *symbol) {
  void *found = __atomic_load_n(real, __ATOMIC_ACQUIRE);
  if (MH_LIKELY(found != NULL)) return found;
  found = mh_real_next(symbol, "libstdc++.so.6");
  if (!found) found = mh_real_next(symbol, "libc++.so.1");
  __atomic_store_n(real, found, __ATOMIC_RELEASE);
  return found;
}

#define NEW(symbol, parameters, arguments)                       \
  MH_HOOK void *symbol parameters {                              \
    ENDS_WHEN_THROWN;                                            \
    static void *real_;                                          \
    void *(*call) parameters = find(&real_, #symbol);            \
    if (MH_UNLIKELY(!call)) return malloc_instead arguments;     \
    if (MH_UNLIKELY(!mh_enter(MH_HOOK_WRAP))) return call arguments;         \
    struct mh_entry entry = MH_ENTRY();                          \
    void *block = call arguments;                                \
    if (MH_LIKELY(block != NULL)) mh_hook_record(block, size, &entry); \
    mh_leave();                                                  \
    return block;                                                \
  }

#define DELETE(symbol, parameters, arguments)                    \
  MH_HOOK void symbol parameters {                               \
    static void *real_;                                          \
    void (*call) parameters = find(&real_, #symbol);             \
    if (MH_LIKELY(mh_enter(MH_HOOK_WRAP))) {                                 \
      mh_begin();                                                \
      if (block) mh_record_free(block, MH_MEMORY_HEAP);          \
      mh_finish();                                               \
      mh_leave();                                                \
    } else {                                                     \
      mh_nested_free(block);                                     \
    }                                                            \
    if (MH_LIKELY(call != NULL))                                 \
      call arguments;                                            \
    else                                                         \
      mh_real.free(block);                                       \
  }

#define malloc_instead(...) mh_real.malloc(size)
NEW(_Znwm, (size_t size), (size))
NEW(_Znam, (size_t size), (size))
NEW(_ZnwmRKSt9nothrow_t, (size_t size, const struct nothrow *tag), (size, tag))
NEW(_ZnamRKSt9nothrow_t, (size_t size, const struct nothrow *tag), (size, tag))
#undef malloc_instead

#define malloc_instead(...) mh_real.aligned_alloc(alignment, size)
NEW(_ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment))
NEW(_ZnamSt11align_val_t, (size_t size, size_t alignment), (size, alignment))
NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const struct nothrow *tag), (size, alignment, tag))
NEW(_ZnamSt11align_val_tRKSt9nothrow_t, (size_t size, size_t alignment, const struct nothrow *tag), (size, alignment, tag))
#undef malloc_instead

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
