/* What every hook's source file needs. */
#pragma once
#include "../base/early.h"
#include "enter.h"
#include "../index/index.h"
#include "../life/pass.h"
#include "../life/real.h"
#include "../threads/sample.h"
#include "../base/sys.h"

/* A function that programs call instead of the real one. It keeps its frame: MH_ENTRY starts there. */
#define MH_HOOK __attribute__((visibility("default"), noinline))

/* A hook may be called before the real functions are known. */
#define MH_FIND_REAL(name)                          \
  do {                                              \
    if (MH_UNLIKELY(!mh_real.name)) mh_real_find(); \
  } while (0)

/* Its frame is none of the program's, and in no call stack. The linker knows where these functions are (intern.c). */
#define MH_HIDDEN __attribute__((section("mh_hidden"), noinline))

/* Declares all hooks. A libc header that declares one differently (unistd.h: syscall) cannot be included as well. */
#define F(name, result, parameters) MH_HOOK result name parameters;
#define NONE(name, result, parameters)
MH_FUNCTIONS(F, F, NONE)
#undef F
#undef NONE

/* Ends a hook: records the block that `call`, the real function, returns, and returns it. */
#define MH_RETURN_RECORDED(call, size)                                               \
  do {                                                                               \
    void *block_ = (call);                                                           \
    if (MH_UNLIKELY(!block_)) {                                                      \
      mh_leave();                                                                    \
      return NULL;                                                                   \
    }                                                                                \
    struct mh_entry entry_ = MH_ENTRY();                                             \
    mh_begin();                                                                      \
    return mh_record_and_leave(block_, size, entry_.pc, entry_.sp, entry_.fp);       \
  } while (0)

/* Removes a block's record, before the real function gives the block back. */
MH_INLINE void mh_hook_forget(const void *block) {
  if (!mh_index_may_have(block)) return;
  if (MH_UNLIKELY(!mh_enter(MH_HOOK_WRAP))) {
    mh_nested_free(block);
    return;
  }
  mh_begin();
  mh_record_heap_free(block);
  mh_finish();
  mh_leave();
}

/* For calls that may move a block: removes its record before the call, */
MH_INLINE struct mh_taken mh_hook_take(void *block) {
  mh_begin();
  struct mh_taken taken = mh_record_take(block);
  mh_finish();
  return taken;
}

/* and records the result afterwards. `block` NULL: the call failed and the old block is as it was; or `size` is 0 and
 * it was freed. */
MH_INLINE void mh_hook_moved(void *old, void *block, size_t size, const struct mh_taken *taken,
                             const struct mh_entry *entry) {
  mh_begin();
  if (MH_LIKELY(block != NULL && mh_sample_wants(size))) {
    mh_record_moved(block, size, taken, entry);
  } else if (block != NULL) {
    mh_record_forget(taken); /* the old block was recorded, the new one is not: no sample fell into it */
  } else if (size != 0) {
    mh_record_restore(old, taken);
  } else {
    mh_record_forget(taken);
  }
  mh_finish();
}

/* The personality of a hook whose real function may throw; see hooks_new.c. 0x1b: pc-relative, four bytes. */
#define MH_ENDS_WHEN_THROWN __asm__ volatile(".cfi_personality 0x1b, mh_new_personality")

/* The hook free, under a name that no other library has. */
void mh_own_free(void *block);

/* Notes the end of this process if a call of syscall() ends it. True: it does; if it fails, mh_end_not takes that
 * back. */
bool mh_hook_exit(long number, int status);

/* The hook syscall, where it is called for mmap, munmap, mremap or a change of protection. */
long mh_hook_syscall_memory(long number, const long arguments[6], struct mh_entry entry);

/* Whether a system call, by its number and first two arguments, is a fork, for which libc runs no handlers. And the
 * call, with the handlers. */
bool mh_fork_is(long number, long a, long b);
long mh_fork_call(long number, long a, long b, long c, long d, long e, long f);
