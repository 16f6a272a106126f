/* Passing calls on; see pass.h. */
#include "pass.h"

#include "../base/alive.h"
#include "../base/self.h"
#include "real.h"

/* Raises the guard around the call. If a hook has raised it already, it stays as it is. In a child of fork that has not
 * begun, nothing is recorded, and the guard is not needed. */
#define GUARDED(call)                                                                                                 \
  do {                                                                                                                \
    uintptr_t before_ = mh_tls.guard;                                                                                 \
    if (!before_ && __atomic_load_n(&mh_alive->recording, __ATOMIC_RELAXED))                                          \
      mh_tls.guard = (uintptr_t)__builtin_frame_address(0) | MH_HOOK_HEAP;                                            \
    call;                                                                                                             \
    mh_tls.guard = before_;                                                                                           \
  } while (0)

static void *guarded_malloc(size_t size) {
  void *block;
  GUARDED(block = mh_real.malloc(size));
  return block;
}

static void *guarded_calloc(size_t count, size_t size) {
  void *block;
  GUARDED(block = mh_real.calloc(count, size));
  return block;
}

static void *guarded_memalign(size_t alignment, size_t size) {
  void *block;
  GUARDED(block = mh_real.memalign(alignment, size));
  return block;
}

static void guarded_free(void *block) {
  GUARDED(mh_real.free(block));
}

struct mh_pass mh_pass = {guarded_malloc, guarded_calloc, guarded_memalign, guarded_free};

void mh_pass_directly(void) {
  mh_pass = (struct mh_pass){mh_real.malloc, mh_real.calloc, mh_real.memalign, mh_real.free};
}
