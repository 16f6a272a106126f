/* Hooks: loading and unloading of modules.
 *
 * The loader looks at the caller of dlopen (RUNPATH, namespaces). So those hooks end with a jump and leave no frame. A
 * module that they loaded is found when a program counter in it first turns up.
 */
#include <dlfcn.h>

#include "../unwind/cfi.h"
#include "hook.h"
#include "../stacks/keep.h"
#include "../stacks/modules.h"
#include "operators.h"
#include "redirect.h"

#define DEEPBIND 8 /* RTLD_DEEPBIND, which musl does not have */

MH_HOOK void *dlopen(const char *file, int mode) {
  MH_FIND_REAL(dlopen);
  mh_modules_advance();
  mh_operators_loading(mode & RTLD_GLOBAL);
  mh_redirect_loading(mode & DEEPBIND);
  if (MH_UNLIKELY(mh_keeps)) mh_keep_file(file);
  __attribute__((musttail)) return mh_real.dlopen(file, mode);
}

MH_HOOK void *dlmopen(long namespace, const char *file, int mode) {
  MH_FIND_REAL(dlmopen);
  if (MH_UNLIKELY(!mh_real.dlmopen)) return NULL; /* musl has none, but a weak reference finds this hook */
  mh_modules_advance();
  mh_operators_loading(false);
  mh_redirect_loading(mode & DEEPBIND);
  if (MH_UNLIKELY(mh_keeps)) mh_keep_file(file);
  __attribute__((musttail)) return mh_real.dlmopen(namespace, file, mode);
}

MH_HOOK int dlclose(void *handle) {
  MH_FIND_REAL(dlclose);
  mh_cfi_unloading(); /* frame information may be unmapped at any moment from here on */
  int result = mh_real.dlclose(handle);
  mh_modules_advance();
  /* If it failed, dlerror's message must stay. */
  if (result == 0) mh_operators_loading(false);
  mh_cfi_unloaded();
  if (mh_enter(MH_HOOK_WRAP)) {
    mh_begin();
    mh_modules_refresh();
    mh_finish();
    mh_leave();
  }
  return result;
}
