/* Hooks: anonymous mappings. A mapping of a file is no memory that leaks, but it may replace such memory. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <linux/mman.h>
#include <sys/mman.h>

#include "hook.h"
#include "../records/mappings.h"

/* Removes what the call will unmap from the mappings, before the call. */
static void split(const void *start, size_t size, struct mh_split *taken) {
  mh_begin();
  mh_mapping_split((uintptr_t)start, size, taken);
  mh_finish();
}

static void restore(const struct mh_split *taken) {
  mh_begin();
  mh_mapping_restore(taken);
  mh_finish();
}

static void add(const void *start, size_t size, bool accessible, const struct mh_entry *entry) {
  mh_begin();
  mh_mapping_add((uintptr_t)start, size, accessible, entry);
  mh_finish();
}

static bool is_accessible(int protection) {
  return protection & (PROT_READ | PROT_WRITE | PROT_EXEC);
}

/* MAP_FIXED_NOREPLACE replaces nothing. */
static bool replaces(int flags) {
  return flags & MAP_FIXED;
}

/* The hooks' bodies. `call` is the way that the program makes the call: by libc's function, or by syscall(). `entry` is
 * the hook's. */

typedef void *map_function(void *address, size_t size, int protection, int flags, int fd, off_t offset);
typedef int unmap_function(void *start, size_t size);
typedef int protect_function(void *start, size_t size, int protection, int key);
typedef void *remap_function(void *old, size_t old_size, size_t size, int flags, void *wanted);

MH_INLINE void *map(map_function *call, void *address, size_t size, int protection, int flags, int fd, off_t offset,
                    struct mh_entry entry) {
  if (!(flags & (MAP_ANONYMOUS | MAP_FIXED))) return call(address, size, protection, flags, fd, offset);
  if (MH_UNLIKELY(!mh_enter(MH_HOOK_MAP))) {
    void *nested = call(address, size, protection, flags, fd, offset);
    if (nested != MAP_FAILED && flags & MAP_ANONYMOUS && is_accessible(protection))
      mh_nested_allocation(nested, size, entry);
    return nested;
  }
  struct mh_split taken;
  taken.count = 0;
  if (replaces(flags)) split(address, size, &taken);
  void *start = call(address, size, protection, flags, fd, offset);
  if (start == MAP_FAILED)
    restore(&taken);
  else if (flags & MAP_ANONYMOUS)
    add(start, size, is_accessible(protection), &entry);
  mh_leave();
  return start;
}

MH_INLINE int unmap(unmap_function *call, void *start, size_t size) {
  /* The kernel refuses these calls at once: nothing is unmapped. */
  bool refused = size == 0 || (uintptr_t)start % 4096 != 0;
  if (MH_UNLIKELY(refused || !mh_enter(MH_HOOK_MAP))) return call(start, size);
  struct mh_split taken;
  split(start, size, &taken);
  int result = call(start, size);
  if (MH_UNLIKELY(result != 0)) restore(&taken);
  mh_leave();
  return result;
}

MH_INLINE void *remap(remap_function *call, void *old, size_t old_size, size_t size, int flags, void *wanted,
                      struct mh_entry entry) {
  if (MH_UNLIKELY(!mh_enter(MH_HOOK_MAP))) return call(old, old_size, size, flags, wanted);
  struct mh_split moved, replaced;
  replaced.count = 0;
  /* With an old size of 0, shared memory is mapped a second time, and the first mapping stays. */
  bool stays = flags & MREMAP_DONTUNMAP || !old_size;
  split(old, old_size ? old_size : 1, &moved);
  if (flags & MREMAP_FIXED) split(wanted, size, &replaced);
  void *start = call(old, old_size, size, flags, wanted);
  if (start == MAP_FAILED) {
    restore(&moved);
    restore(&replaced);
  } else if (moved.count) {
    add(start, size, !moved.pieces[0].reserved, &entry);
    if (stays) restore(&moved);
  }
  mh_leave();
  return start;
}

/* In a program without reservations, a call that makes memory accessible is passed on at once: runtimes that generate
 * code make it often. */
MH_INLINE int protect(protect_function *call, void *start, size_t size, int protection, int key) {
  bool accessible = is_accessible(protection);
  if (!mh_mapping_concerns(accessible) || MH_UNLIKELY(!mh_enter(MH_HOOK_MAP)))
    return call(start, size, protection, key);
  int result = call(start, size, protection, key);
  if (MH_LIKELY(result == 0)) {
    mh_begin();
    mh_mapping_protected((uintptr_t)start, size, accessible);
    mh_finish();
  }
  mh_leave();
  return result;
}

/* ── By libc's functions ───────────────────────────────────────────────────────────────────────── */

/* A result of the kernel as libc's functions return it. */
static long answer(long result) {
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

/* Before libc's functions are known. */
static void *map_early(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  return (void *)answer(mh_syscall(SYS_mmap, (long)address, (long)size, protection, flags, fd, offset));
}
static int unmap_early(void *start, size_t size) {
  return (int)answer(mh_syscall(SYS_munmap, (long)start, (long)size, 0, 0, 0, 0));
}

static int protect_by_libc(void *start, size_t size, int protection, int key) {
  (void)key;
  if (MH_UNLIKELY(!mh_real.mprotect))
    return (int)answer(mh_syscall(SYS_mprotect, (long)start, (long)size, protection, 0, 0, 0));
  return mh_real.mprotect(start, size, protection);
}
static int protect_by_key(void *start, size_t size, int protection, int key) {
  if (MH_UNLIKELY(!mh_real.pkey_mprotect))
    return (int)answer(mh_syscall(SYS_pkey_mprotect, (long)start, (long)size, protection, key, 0, 0));
  return mh_real.pkey_mprotect(start, size, protection, key);
}

static void *remap_by_libc(void *old, size_t old_size, size_t size, int flags, void *wanted) {
  return mh_real.mremap(old, old_size, size, flags, wanted);
}

#define MAP_HOOK(name)                                                                              \
  MH_HOOK void *name(void *address, size_t size, int protection, int flags, int fd, off_t offset) { \
    MH_FIND_REAL(name);                                                                             \
    if (MH_UNLIKELY(!mh_real.name)) return map_early(address, size, protection, flags, fd, offset); \
    return map(mh_real.name, address, size, protection, flags, fd, offset, MH_ENTRY());             \
  }

MAP_HOOK(mmap)
MAP_HOOK(mmap64)

MH_HOOK int munmap(void *start, size_t size) {
  MH_FIND_REAL(munmap);
  if (MH_UNLIKELY(!mh_real.munmap)) return unmap_early(start, size);
  return unmap(mh_real.munmap, start, size);
}

MH_HOOK void *mremap(void *old, size_t old_size, size_t size, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  void *wanted = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
  va_end(rest);
  MH_FIND_REAL(mremap);
  if (MH_UNLIKELY(!mh_real.mremap)) {
    errno = ENOSYS;
    return MAP_FAILED;
  }
  return remap(remap_by_libc, old, old_size, size, flags, wanted, MH_ENTRY());
}

MH_HOOK int mprotect(void *start, size_t size, int protection) {
  MH_FIND_REAL(mprotect);
  return protect(protect_by_libc, start, size, protection, -1);
}

MH_HOOK int pkey_mprotect(void *start, size_t size, int protection, int key) {
  MH_FIND_REAL(mprotect);
  return protect(protect_by_key, start, size, protection, key);
}

/* ── By libc's syscall ─────────────────────────────────────────────────────────────────────────── */

static void *map_by_syscall(void *address, size_t size, int protection, int flags, int fd, off_t offset) {
  return (void *)mh_real.syscall(SYS_mmap, (long)address, (long)size, protection, flags, fd, offset);
}
static int unmap_by_syscall(void *start, size_t size) {
  return (int)mh_real.syscall(SYS_munmap, (long)start, (long)size, 0, 0, 0, 0);
}
static void *remap_by_syscall(void *old, size_t old_size, size_t size, int flags, void *wanted) {
  return (void *)mh_real.syscall(SYS_mremap, (long)old, (long)old_size, (long)size, flags, (long)wanted, 0);
}

static int protect_by_syscall(void *start, size_t size, int protection, int key) {
  return (int)mh_real.syscall(SYS_mprotect, (long)start, (long)size, protection, key, 0, 0);
}
static int protect_by_key_by_syscall(void *start, size_t size, int protection, int key) {
  return (int)mh_real.syscall(SYS_pkey_mprotect, (long)start, (long)size, protection, key, 0, 0);
}

/* Not inlined: the hook's frame stays small for all other calls. */
__attribute__((noinline)) long mh_hook_syscall_memory(long number, const long a[6], struct mh_entry entry) {
  switch (number) {
    case SYS_mmap:
      return (long)map(map_by_syscall, (void *)a[0], (size_t)a[1], (int)a[2], (int)a[3], (int)a[4], a[5], entry);
    case SYS_munmap: return unmap(unmap_by_syscall, (void *)a[0], (size_t)a[1]);
    case SYS_mprotect: return protect(protect_by_syscall, (void *)a[0], (size_t)a[1], (int)a[2], (int)a[3]);
    case SYS_pkey_mprotect: return protect(protect_by_key_by_syscall, (void *)a[0], (size_t)a[1], (int)a[2], (int)a[3]);
    default: /* SYS_mremap */
      return (long)remap(remap_by_syscall, (void *)a[0], (size_t)a[1], (size_t)a[2], (int)a[3], (void *)a[4], entry);
  }
}
