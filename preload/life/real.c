/* The functions behind the hooks; see real.h. */
#include "real.h"

#include <dlfcn.h>
#include <stdint.h>

#include "../base/seccomp.h"
#include "../base/sys.h"
#include "../base/self.h"

struct mh_real mh_real;

/* Clears the loader's message about a lookup that failed. The second call frees it. Otherwise the program's next call
 * of dlsym would free it, and a malloc wrapper that calls dlsym in its free would never return. */
static void clear_error(void) {
  if (mh_real.dlerror && mh_real.dlerror()) mh_real.dlerror();
}

/* Signals stay unblocked: another thread may hold the loader's lock for long, and may wait for one of this thread's
 * handlers. */
void *mh_real_next(const char *symbol) {
  uintptr_t guard = mh_guard_raise();
  void *found = dlsym(RTLD_NEXT, symbol);
  if (!found) clear_error();
  mh_guard_lower(guard);
  return found;
}

static bool found_all;
void *mh_real_first_malloc;

bool mh_real_found(void) {
  return __atomic_load_n(&found_all, __ATOMIC_ACQUIRE);
}

static void find_all(void) {
  uintptr_t guard = mh_guard_raise();
#define F(name, result, parameters) \
  __atomic_store_n((void **)&mh_real.name, dlsym(RTLD_NEXT, #name), __ATOMIC_RELEASE);
#define NONE(name, result, parameters)
  MH_FUNCTIONS(F, NONE, F)
#undef F
#undef NONE
  mh_real_first_malloc = dlsym(RTLD_DEFAULT, "malloc");
  clear_error(); /* not every libc has them all */
  __atomic_store_n(&found_all, true, __ATOMIC_RELEASE);
  mh_guard_lower(guard);
}

void mh_real_find(void) {
  static bool begun;
  if (__atomic_load_n(&begun, __ATOMIC_RELAXED)) return;
  mh_seccomp_sandboxed();
  uint64_t signals = mh_signals_hold();
  if (!__atomic_exchange_n(&begun, true, __ATOMIC_ACQ_REL)) find_all();
  mh_signals_release(signals);
}
