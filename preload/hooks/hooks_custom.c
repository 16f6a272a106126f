/* Hooks: memhook_alloc and memhook_free, for custom allocators; see memhook.h. */
#include "hook.h"

MH_HOOK void memhook_alloc(const void *block, size_t size) {
  if (!block || !mh_enter(MH_HOOK_HEAP)) return;
  struct mh_entry entry = MH_ENTRY();
  /* The record's kind is stored above the size: a size from the program must not overwrite it. */
  const size_t most = ((size_t)1 << MH_RECORD_KIND_SHIFT) - 1;
  if (size > most) size = most;
  mh_begin();
  mh_record_custom_allocation(block, size, &entry);
  mh_finish();
  mh_leave();
}

MH_HOOK void memhook_free(const void *block) {
  if (!block || !mh_enter(MH_HOOK_HEAP)) return;
  mh_begin();
  mh_record_custom_free(block);
  mh_finish();
  mh_leave();
}
