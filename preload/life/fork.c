/* Forks; see fork.h. */
#include "fork.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>

#include "../base/settings.h"
#include "../records/fork_log.h"
#include "life.h"

void mh_fork_begins(void) {
  /* MEMHOOK_CHILDREN=follow: children may want the log. */
  if (mh_settings.children == MH_CHILDREN_FOLLOW) mh_fork_log_prepare();
}

static void in_parent(void) {
  mh_fork_log_in_parent(true);
}

static void in_child(void) {
  mh_live(MH_FORKED);
}

void mh_fork_ends(long child) {
  if (child)
    mh_fork_log_in_parent(child > 0);
  else
    in_child();
}

void mh_fork_watch(void) {
  /* glibc has pthread_atfork in a static library only, which calls this. musl exports pthread_atfork. */
  int (*glibc)(void (*)(void), void (*)(void), void (*)(void), void *);
  int (*musl)(void (*)(void), void (*)(void), void (*)(void));
  *(void **)&glibc = dlsym(RTLD_NEXT, "__register_atfork");
  *(void **)&musl = glibc ? NULL : dlsym(RTLD_NEXT, "pthread_atfork");
  if (glibc)
    glibc(mh_fork_begins, in_parent, in_child, NULL);
  else if (musl)
    musl(mh_fork_begins, in_parent, in_child);
}
