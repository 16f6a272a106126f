/* Stack capture: hands each capture to the unwinder that MEMHOOK_UNWIND chose. */
#include "capture.h"

#include "capture_libunwind.h"
#include "settings.h"
#include "store.h"
#include "thread.h"
#include "walk.h"

void mh_capture_start(void) {
  static const uint32_t unwinders[] = {
      [MH_UNWIND_DWARF] = MH_UNWINDER_DWARF,
      [MH_UNWIND_FP] = MH_UNWINDER_FRAME_POINTER,
      [MH_UNWIND_LIBUNWIND] = MH_UNWINDER_LIBUNWIND,
  };
  mh_header()->unwinder = unwinders[mh_settings.unwind];
  mh_depth_limit = mh_settings.depth;
  mh_walk_start();
}

uint32_t mh_capture(struct mh_thread *thread, const struct mh_entry *entry) {
  if (MH_UNLIKELY(!thread->walk) && mh_settings.unwind != MH_UNWIND_LIBUNWIND) thread->walk = mh_map_private(mh_walk_bytes());
  if (MH_UNLIKELY(!thread->walk)) return mh_capture_libunwind(thread, entry);
  if (mh_settings.unwind == MH_UNWIND_FP) return mh_capture_fp(thread->walk, entry);
  return mh_capture_dwarf(thread, thread->walk, entry);
}

void mh_capture_modules_changed(void) {
  mh_capture_dwarf_modules_changed();
}
