/* Children of fork; see alive.h. */
#include "alive.h"

#include "log.h"
#include "sys.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

static struct mh_alive not_yet = {.own_store = 1};
struct mh_alive *mh_alive = &not_yet; /* until there is a page for it */

bool mh_alive_watch(void) {
  struct mh_alive *page = mh_map_private(4096);
  if (!page) return false;
  if (mh_madvise(page, 4096, MADV_WIPEONFORK) < 0)
    mh_log("this kernel cannot tell children of fork (before 4.14): only those of fork() itself are noticed", "", "");
  page->own_store = 1;
  mh_alive = page;
  return true;
}

/* Does what the kernel has done already, where it wipes the page. Older kernels, some sandboxes and emulators do not,
 * and nothing of the parent's store is mapped in the child. */
void mh_alive_forked(void) {
  __atomic_store_n(&mh_alive->recording, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&mh_alive->own_store, 0, __ATOMIC_RELEASE);
}
