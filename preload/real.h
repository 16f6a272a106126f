/* The functions behind the hooks: the next definition in the loader's search order, which is libc's, or another
 * allocator's, or another preloaded library's. */
#pragma once
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* name, result, parameters. All are looked up at the start: a lookup later would overwrite what dlerror has to tell the
 * program. */
#define MH_REAL_FUNCTIONS(F)                                              \
  F(malloc, void *, (size_t))                                             \
  F(free, void, (void *))                                                 \
  F(calloc, void *, (size_t, size_t))                                     \
  F(realloc, void *, (void *, size_t))                                    \
  F(memalign, void *, (size_t, size_t))                                   \
  F(posix_memalign, int, (void **, size_t, size_t))                       \
  F(aligned_alloc, void *, (size_t, size_t))                              \
  F(valloc, void *, (size_t))                                             \
  F(pvalloc, void *, (size_t))                                            \
  F(mmap, void *, (void *, size_t, int, int, int, off_t))                 \
  F(mmap64, void *, (void *, size_t, int, int, int, off_t))               \
  F(munmap, int, (void *, size_t))                                        \
  F(mremap, void *, (void *, size_t, size_t, int, ...))                   \
  F(dlopen, void *, (const char *, int))                                  \
  F(dlmopen, void *, (long, const char *, int))                           \
  F(dlclose, int, (void *))                                               \
  F(execve, int, (const char *, char *const *, char *const *))            \
  F(execv, int, (const char *, char *const *))                            \
  F(execvp, int, (const char *, char *const *))                           \
  F(execvpe, int, (const char *, char *const *, char *const *))           \
  F(fexecve, int, (int, char *const *, char *const *))                    \
  F(_exit, void, (int))                                                   \
  F(quick_exit, void, (int))                                              \
  F(setlocale, char *, (int, const char *))                               \
  F(localtime, struct tm *, (const time_t *))                             \
  F(localtime_r, struct tm *, (const time_t *, struct tm *))              \
  F(mktime, time_t, (struct tm *))                                        \
  F(strftime, size_t, (char *, size_t, const char *, const struct tm *))  \
  F(tzset, void, (void))                                                  \
  F(getpwnam, struct passwd *, (const char *))                            \
  F(getpwuid, struct passwd *, (uid_t))                                   \
  F(getgrnam, struct group *, (const char *))                             \
  F(getgrgid, struct group *, (gid_t))                                    \
  F(dlerror, char *, (void))                                              \
  F(gnu_get_libc_version, const char *, (void)) /* glibc alone has it */  \
  F(sigaltstack, int, (const stack_t *, stack_t *))                       \
  F(prctl, int, (int, unsigned long, unsigned long, unsigned long, unsigned long)) \
  F(syscall, long, (long, long, long, long, long, long, long))            \
  F(unshare, int, (int))                                                  \
  F(setns, int, (int, int))                                               \
  F(pthread_create, int, (pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))

struct mh_real {
#define F(name, result, parameters) result(*name) parameters;
  MH_REAL_FUNCTIONS(F)
#undef F
};

extern struct mh_real mh_real;

/* Looks all of them up, once. While that goes on, allocations come from a small static buffer. */
void mh_real_find(void);

/* Whether that has been done. */
bool mh_real_found(void);

/* The next definition of a symbol; NULL if there is none. `library`: where to look besides, if it is loaded privately. */
void *mh_real_next(const char *symbol, const char *library);

/* The static buffer: for what the lookup itself allocates. */
#define MH_EARLY_BYTES 65536
extern uint8_t mh_early[MH_EARLY_BYTES];
void *mh_early_allocate(size_t size, size_t alignment);
size_t mh_early_size(const void *block);
static inline bool mh_early_owns(const void *block) {
  return (uintptr_t)block - (uintptr_t)mh_early < MH_EARLY_BYTES;
}
