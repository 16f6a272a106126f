/* System calls made directly: they leave errno alone, are no cancellation points, and cannot be interposed by another
 * preloaded library. Each returns the kernel's result: a value, or -errno. */
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define MH_INLINE static inline __attribute__((always_inline))
#define MH_LIKELY(x) __builtin_expect(!!(x), 1)
#define MH_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* For memory that one thread writes while others read it, in no particular order: no more than a plain load and
 * store. */
#define MH_GET(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define MH_SET(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELAXED)

/* Whether the program's own seccomp filters may kill it for a call (number and arguments); NULL while it has no filter.
 * See seccomp.c. Weak, because parts of the library are also built without that file. */
__attribute__((weak, visibility("hidden"))) bool (*mh_syscall_forbidden)(const long call[7]);

/* Whether there are filters from before the program began, which cannot be run. Then memhook makes only the calls that
 * it cannot do without. */
__attribute__((weak, visibility("hidden"))) bool mh_syscall_filtered;

static inline long mh_syscall(long number, long a, long b, long c, long d, long e, long f) {
  if (MH_UNLIKELY(mh_syscall_forbidden != NULL)) {
    const long call[] = {number, a, b, c, d, e, f};
    if (mh_syscall_forbidden(call)) return -1; /* -EPERM */
  }
#if defined(__x86_64__)
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  register long r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  register long x5 __asm__("x5") = f;
  __asm__ volatile("svc 0"
                   : "+r"(x0)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
  return x0;
#else
#error "no system calls for this architecture"
#endif
}

static inline uintptr_t mh_page_bytes(void) {
  return getauxval(AT_PAGESZ);
}

#ifndef MADV_REMOVE
#define MADV_REMOVE 9
#endif

/* Blocks the signals that may come at any moment. It is for rare work in the middle of which no handler may jump away,
 * fork, or end the thread. The signals that an instruction raises itself stay unblocked: the kernel ends a process that
 * blocks such a signal. Returns the signals blocked before, for mh_signals_release. */
static inline uint64_t mh_signals_hold(void) {
#define MH_SIGNAL(number) ((uint64_t)1 << ((number)-1))
  const uint64_t held = ~(MH_SIGNAL(SIGILL) | MH_SIGNAL(SIGTRAP) | MH_SIGNAL(SIGBUS) | MH_SIGNAL(SIGFPE) |
                          MH_SIGNAL(SIGSEGV) | MH_SIGNAL(SIGSYS));
#undef MH_SIGNAL
  uint64_t before = 0;
  mh_syscall(SYS_rt_sigprocmask, SIG_BLOCK, (long)&held, (long)&before, sizeof(before), 0, 0);
  return before;
}
static inline void mh_signals_release(uint64_t before) {
  mh_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof(before), 0, 0);
}

static inline int mh_open(const char *path, int flags, unsigned mode) {
  return (int)mh_syscall(SYS_openat, AT_FDCWD, (long)path, flags, mode, 0, 0);
}
static inline int mh_close(int fd) {
  return (int)mh_syscall(SYS_close, fd, 0, 0, 0, 0, 0);
}
static inline long mh_read(int fd, void *buffer, size_t bytes) {
  return mh_syscall(SYS_read, fd, (long)buffer, (long)bytes, 0, 0, 0);
}
static inline long mh_pread(int fd, void *buffer, size_t bytes, uint64_t offset) {
  return mh_syscall(SYS_pread64, fd, (long)buffer, (long)bytes, (long)offset, 0, 0);
}
static inline long mh_write(int fd, const void *buffer, size_t bytes) {
  return mh_syscall(SYS_write, fd, (long)buffer, (long)bytes, 0, 0, 0);
}
static inline long mh_pwrite(int fd, const void *buffer, size_t bytes, uint64_t offset) {
  return mh_syscall(SYS_pwrite64, fd, (long)buffer, (long)bytes, (long)offset, 0, 0);
}
static inline int mh_fallocate(int fd, uint64_t offset, uint64_t bytes) {
  return (int)mh_syscall(SYS_fallocate, fd, 0, (long)offset, (long)bytes, 0, 0);
}
static inline int mh_fstat(int fd, struct stat *result) {
  return (int)mh_syscall(SYS_fstat, fd, (long)result, 0, 0, 0, 0);
}
static inline int mh_stat(const char *path, struct stat *result) {
  return (int)mh_syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)result, AT_SYMLINK_NOFOLLOW, 0, 0);
}
static inline int mh_fchmod(int fd, unsigned mode) {
  return (int)mh_syscall(SYS_fchmod, fd, mode, 0, 0, 0, 0);
}
/* Under filters that cannot be run it is the user at the process's start, which the kernel has passed on. */
static inline uint32_t mh_geteuid(void) {
  if (mh_syscall_filtered) return (uint32_t)getauxval(AT_EUID);
  return (uint32_t)mh_syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
}
static inline int mh_unlink(const char *path) {
  return (int)mh_syscall(SYS_unlinkat, AT_FDCWD, (long)path, 0, 0, 0, 0);
}
static inline long mh_readlink(const char *path, char *buffer, size_t bytes) {
  return mh_syscall(SYS_readlinkat, AT_FDCWD, (long)path, (long)buffer, (long)bytes, 0, 0);
}
static inline int mh_flock(int fd, int operation) {
  return (int)mh_syscall(SYS_flock, fd, operation, 0, 0, 0, 0);
}
static inline int mh_fcntl(int fd, int command, long argument) {
  return (int)mh_syscall(SYS_fcntl, fd, command, argument, 0, 0, 0);
}
static inline int mh_getpid(void) {
  return (int)mh_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
}
static inline int mh_gettid(void) {
  return (int)mh_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}
static inline int mh_kill(int pid, int signal) {
  return (int)mh_syscall(SYS_kill, pid, signal, 0, 0, 0, 0);
}
static inline int mh_tgkill(int pid, int tid, int signal) {
  return (int)mh_syscall(SYS_tgkill, pid, tid, signal, 0, 0, 0);
}
static inline int mh_madvise(void *start, size_t bytes, int advice) {
  return (int)mh_syscall(SYS_madvise, (long)start, (long)bytes, advice, 0, 0, 0);
}
static inline int mh_munmap(void *start, size_t bytes) {
  return (int)mh_syscall(SYS_munmap, (long)start, (long)bytes, 0, 0, 0, 0);
}

static inline void *mh_map(size_t bytes, int protection, int flags, int fd, uint64_t offset) {
  long result = mh_syscall(SYS_mmap, 0, (long)bytes, protection, flags, fd, (long)offset);
  return result < 0 && result > -4096 ? NULL : (void *)result;
}

/* Zeroed private memory, NULL if there is none. Only mh_munmap gives it back. */
static inline void *mh_map_private(size_t bytes) {
  return mh_map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}
