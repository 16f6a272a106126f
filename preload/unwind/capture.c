/* Stack capture: hands each capture to the unwinder that MEMHOOK_UNWIND chose. */
#include "capture.h"

#include "capture_libunwind.h"
#include "../base/settings.h"
#include "../stacks/modules.h"
#include "../threads/thread.h"
#include "stack_cache.h"
#include "walk.h"

void mh_capture_start(void) {
  mh_depth_limit = mh_settings.depth;
  mh_walk_start();
  __atomic_store_n(&mh_modules_advanced, mh_capture_dwarf_modules_changed, __ATOMIC_RELEASE);
  mh_capture_dwarf_modules_changed();
}

/* The thread's first capture. */
static __attribute__((noinline)) void begin(struct mh_thread *thread) {
  struct mh_stack_cache *cache = thread->spare_cache;
  if (cache)
    mh_stack_cache_new_owner(cache);
  else
    cache = mh_map_private(mh_stack_cache_bytes());
  thread->stack_cache = cache;
  thread->spare_cache = NULL;
  mh_thread_update_fast();
}

uint32_t mh_capture(struct mh_thread *thread, const struct mh_entry *entry) {
  if (MH_UNLIKELY(!thread->stack_cache) && mh_settings.unwind != MH_UNWIND_LIBUNWIND) begin(thread);
  if (MH_UNLIKELY(!thread->stack_cache)) return mh_capture_libunwind(thread, entry);
  if (mh_settings.unwind == MH_UNWIND_FP) return mh_walk_fp(thread->stack_cache, entry);
  return mh_walk_dwarf(thread, thread->stack_cache, entry);
}
