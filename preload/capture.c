/* Stack capture: hands each capture to the unwinder that MEMHOOK_UNWIND chose. */
#include "capture.h"

#include "capture_libunwind.h"
#include "store.h"

void mh_capture_start(void) {
  mh_header()->unwinder = MH_UNWINDER_LIBUNWIND;
}

uint32_t mh_capture(struct mh_thread *thread, const struct mh_entry *entry) {
  return mh_capture_libunwind(thread, entry);
}

void mh_capture_modules_changed(void) {
}
