/* Hooks: anonymous mappings. Mappings of files are not memory that leaks, but they may replace some that is. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "hook.h"
#include "regions.h"

/* Takes what the call will unmap out of the regions before it does. */
static void cut(const void *start, size_t size, struct mh_cut *taken) {
  mh_begin();
  mh_region_cut((uintptr_t)start, size, taken);
  mh_finish();
}

static void restore(const struct mh_cut *taken) {
  mh_begin();
  mh_region_restore(taken);
  mh_finish();
}

static void add(const void *start, size_t size, const struct mh_entry *entry) {
  mh_begin();
  mh_region_add((uintptr_t)start, size, entry);
  mh_finish();
}

/* MAP_FIXED_NOREPLACE replaces nothing. */
static bool replaces(int flags) {
  return flags & MAP_FIXED;
}

#define MAP_HOOK(name)                                                                              \
  MH_HOOK void *name(void *address, size_t size, int protection, int flags, int fd, off_t offset) { \
    if (MH_UNLIKELY(!mh_real.name)) mh_real_find();                                                 \
    if (MH_UNLIKELY(!mh_real.name)) {                                                               \
      long result = mh_syscall(SYS_mmap, (long)address, (long)size, protection, flags, fd, offset); \
      if (result >= 0 || result < -4095) return (void *)result;                                     \
      errno = (int)-result;                                                                         \
      return MAP_FAILED;                                                                            \
    }                                                                                               \
    if (!(flags & (MAP_ANONYMOUS | MAP_FIXED))) return mh_real.name(address, size, protection, flags, fd, offset); \
    if (MH_UNLIKELY(!mh_enter(MH_HOOK_MAP))) {                                                      \
      void *nested = mh_real.name(address, size, protection, flags, fd, offset);                    \
      if (nested != MAP_FAILED && flags & MAP_ANONYMOUS)                                            \
        mh_nested_allocation(nested, size, MH_ENTRY());                                            \
      return nested;                                                                                \
    }                                                                                               \
    struct mh_entry entry = MH_ENTRY();                                                             \
    struct mh_cut taken;                                                                            \
    taken.count = 0;                                                                                \
    if (replaces(flags)) cut(address, size, &taken);                                                \
    void *start = mh_real.name(address, size, protection, flags, fd, offset);                       \
    if (start == MAP_FAILED)                                                                        \
      restore(&taken);                                                                              \
    else if (flags & MAP_ANONYMOUS)                                                                 \
      add(start, size, &entry);                                                                     \
    mh_leave();                                                                                     \
    return start;                                                                                   \
  }

MAP_HOOK(mmap)
MAP_HOOK(mmap64)

MH_HOOK int munmap(void *start, size_t size) {
  if (MH_UNLIKELY(!mh_real.munmap)) mh_real_find();
  if (MH_UNLIKELY(!mh_real.munmap)) {
    long result = mh_syscall(SYS_munmap, (long)start, (long)size, 0, 0, 0, 0);
    if (result >= 0) return 0;
    errno = (int)-result;
    return -1;
  }
  /* What the kernel will refuse at once takes nothing away. */
  bool refused = size == 0 || (uintptr_t)start % 4096 != 0;
  if (MH_UNLIKELY(refused || !mh_enter(MH_HOOK_MAP))) return mh_real.munmap(start, size);
  struct mh_cut taken;
  cut(start, size, &taken);
  int result = mh_real.munmap(start, size);
  if (MH_UNLIKELY(result != 0)) restore(&taken);
  mh_leave();
  return result;
}

MH_HOOK void *mremap(void *old, size_t old_size, size_t size, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  void *wanted = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
  va_end(rest);
  if (MH_UNLIKELY(!mh_real.mremap)) mh_real_find();
  if (MH_UNLIKELY(!mh_real.mremap)) {
    errno = ENOSYS;
    return MAP_FAILED;
  }
  if (MH_UNLIKELY(!mh_enter(MH_HOOK_MAP))) return mh_real.mremap(old, old_size, size, flags, wanted);
  struct mh_entry entry = MH_ENTRY();
  struct mh_cut moved, replaced;
  replaced.count = 0;
  cut(old, old_size, &moved);
  if (flags & MREMAP_FIXED) cut(wanted, size, &replaced);
  void *start = mh_real.mremap(old, old_size, size, flags, wanted);
  if (start == MAP_FAILED) {
    restore(&moved);
    restore(&replaced);
  } else if (moved.count) {
    add(start, size, &entry);
    if (flags & MREMAP_DONTUNMAP) restore(&moved);
  }
  mh_leave();
  return start;
}
