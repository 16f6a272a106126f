/* Hooks: malloc and its family.
 *
 * All have the same form. A call that is not to be recorded (nested in another hook, too early, off) goes straight to
 * the real function. Otherwise the hook calls the real function, then records the result. Where memory is freed, the
 * record is removed first: when the real function returns, another thread may already own the address.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>

#include "hook.h"

#define NESTED(size, call)                           \
  do {                                               \
    void *nested_ = (call);                          \
    mh_nested_allocation(nested_, size, MH_ENTRY()); \
    return nested_;                                  \
  } while (0)

#define RECORDED(size, call)                                      \
  do {                                                            \
    if (MH_UNLIKELY(!mh_enter(MH_HOOK_HEAP))) NESTED(size, call); \
    MH_RETURN_RECORDED(call, size);                               \
  } while (0)

/* The slow path of malloc and calloc, where mh_enter_fast returns false. The hooks jump to it, so its frame takes the
 * place of the hook's. `early`: what to return before the real functions are known. */
#define RECORDED_SLOW(name, size, call, early)    \
  do {                                            \
    MH_FIND_REAL(name);                              \
    if (MH_UNLIKELY(!mh_real.name)) return early; \
    RECORDED(size, call);                         \
  } while (0)

static __attribute__((noinline)) void *malloc_slow(size_t size) {
  if (MH_UNLIKELY(mh_tls.refused)) {
    bool asked = mh_tls.refused == size;
    mh_tls.refused = 0;
    if (asked) return NULL;
  }
  RECORDED_SLOW(malloc, size, mh_real.malloc(size), mh_early_allocate(size, 16));
}

MH_HOOK void *malloc(size_t size) {
  if (mh_sample_passes(size)) return mh_pass.malloc(size);
  if (MH_UNLIKELY(!mh_enter_fast(MH_HOOK_HEAP))) __attribute__((musttail)) return malloc_slow(size);
  MH_RETURN_RECORDED(mh_real.malloc(size), size);
}

extern void *mh_own_malloc(size_t size) __attribute__((alias("malloc"), visibility("hidden")));

static __attribute__((noinline)) void *calloc_slow(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return NULL;
  }
  RECORDED_SLOW(calloc, bytes, mh_real.calloc(count, size), mh_early_allocate(bytes, 16));
}

/* If the product overflows, the real function returns NULL, and nothing is recorded. */
MH_HOOK void *calloc(size_t count, size_t size) {
  if (mh_sample_passes(count * size)) return mh_pass.calloc(count, size);
  if (MH_UNLIKELY(!mh_enter_fast(MH_HOOK_HEAP))) __attribute__((musttail)) return calloc_slow(count, size);
  MH_RETURN_RECORDED(mh_real.calloc(count, size), count * size);
}

MH_HOOK void *memalign(size_t alignment, size_t size) {
  MH_FIND_REAL(memalign);
  if (MH_UNLIKELY(!mh_real.memalign)) return mh_early_allocate(size, alignment);
  RECORDED(size, mh_real.memalign(alignment, size));
}

MH_HOOK void *aligned_alloc(size_t alignment, size_t size) {
  MH_FIND_REAL(aligned_alloc);
  if (MH_UNLIKELY(!mh_real.aligned_alloc)) return mh_early_allocate(size, alignment);
  RECORDED(size, mh_real.aligned_alloc(alignment, size));
}

MH_HOOK void *valloc(size_t size) {
  MH_FIND_REAL(valloc);
  if (MH_UNLIKELY(!mh_real.valloc)) return mh_early_allocate(size, 4096);
  RECORDED(size, mh_real.valloc(size));
}

MH_HOOK void *pvalloc(size_t size) {
  MH_FIND_REAL(pvalloc);
  if (MH_UNLIKELY(!mh_real.pvalloc)) return mh_early_allocate(size, 4096);
  RECORDED(size, mh_real.pvalloc(size));
}

MH_HOOK int posix_memalign(void **block, size_t alignment, size_t size) {
  MH_FIND_REAL(posix_memalign);
  if (MH_UNLIKELY(!mh_real.posix_memalign)) return (*block = mh_early_allocate(size, alignment)) ? 0 : ENOMEM;
  if (MH_UNLIKELY(!mh_enter(MH_HOOK_HEAP))) {
    int result = mh_real.posix_memalign(block, alignment, size);
    if (result == 0) mh_nested_allocation(*block, size, MH_ENTRY());
    return result;
  }
  int result = mh_real.posix_memalign(block, alignment, size);
  if (MH_UNLIKELY(result != 0 || !*block)) {
    mh_leave();
    return result;
  }
  struct mh_entry entry = MH_ENTRY();
  mh_begin();
  mh_record_and_leave(*block, size, entry.pc, entry.sp, entry.fp);
  return 0;
}

/* The slow path of free for a block that is no ordinary one, or has no record. */
static __attribute__((noinline)) void free_slow(void *block) {
  mh_record_heap_free(block);
  mh_finish();
  mh_leave();
  if (MH_LIKELY(!mh_early_owns(block))) mh_pass.free(block);
}

/* The slow path of free for a block that may have a record, where mh_enter_fast returns false. */
static __attribute__((noinline)) void forget_and_free(void *block) {
  if (MH_UNLIKELY(mh_early_owns(block))) return;
  MH_FIND_REAL(free);
  if (MH_UNLIKELY(!mh_real.free)) return;
  mh_hook_forget(block);
  mh_pass.free(block);
}

/* While sampling, nearly all blocks have no record. For those the guard is not needed. */
MH_HOOK void free(void *block) {
  if (MH_UNLIKELY(!block)) return;
  if (!mh_index_may_have(block))
    mh_pass.free(block);
  else if (MH_LIKELY(mh_enter_fast(MH_HOOK_WRAP | MH_GUARD_RECORDING)))
    mh_forget_and_leave(block, mh_pass.free, free_slow);
  else
    forget_and_free(block);
}

extern void mh_own_free(void *block) __attribute__((alias("free"), visibility("hidden")));

MH_HOOK void cfree(void *block) {
  free(block);
}

/* Moves a block of early memory to the heap. */
static void *move_early(void *block, size_t size) {
  void *moved = malloc(size);
  size_t old = mh_early_size(block);
  if (moved) __builtin_memcpy(moved, block, old < size ? old : size);
  return moved;
}

/* The common part of realloc and reallocarray. It is inlined into both, because MH_ENTRY takes the enclosing function's
 * frame. */
MH_INLINE void *resize(void *old, size_t size) {
  if (MH_UNLIKELY(mh_early_owns(old))) return move_early(old, size);
  if (MH_UNLIKELY(!mh_real.realloc)) return old ? NULL : mh_early_allocate(size, 16);
  if (MH_UNLIKELY(!mh_enter(MH_HOOK_HEAP))) {
    mh_nested_free(old);
    void *block = mh_real.realloc(old, size);
    mh_nested_allocation(block, size, MH_ENTRY());
    return block;
  }
  struct mh_entry entry = MH_ENTRY();
  struct mh_taken taken = {0};
  if (old) taken = mh_hook_take(old);
  void *block = mh_real.realloc(old, size);
  mh_hook_moved(old, block, size, &taken, &entry);
  mh_leave();
  return block;
}

MH_HOOK void *realloc(void *old, size_t size) {
  MH_FIND_REAL(realloc);
  return resize(old, size);
}

MH_HOOK void *reallocarray(void *old, size_t count, size_t size) {
  MH_FIND_REAL(realloc);
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return NULL;
  }
  /* glibc before 2.26 has no reallocarray; it is realloc with this check everywhere. */
  return resize(old, bytes);
}
