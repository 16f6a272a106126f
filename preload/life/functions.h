/* The one list of the functions that memhook takes over or calls. Made from it are the hooks' declarations (hook.h),
 * the table of the real functions (real.h), and what the library exports (libmemhook.map.in). The last is made by the
 * preprocessor alone, so no header is included here.
 *
 * MH_FUNCTIONS(HOOKED, HOOK, REAL): each with name, result, parameters.
 *
 *   HOOKED  taken over; the real one is mh_real.name
 *   HOOK    taken over, or ours; it calls another of these, or nothing, or looks up what is behind it when first called
 *   REAL    only called
 */
#pragma once

#define MH_FUNCTIONS(HOOKED, HOOK, REAL)                                                        \
  HOOKED(malloc, void *, (size_t))                                                              \
  HOOKED(free, void, (void *))                                                                  \
  HOOKED(calloc, void *, (size_t, size_t))                                                      \
  HOOKED(realloc, void *, (void *, size_t))                                                     \
  HOOKED(memalign, void *, (size_t, size_t))                                                    \
  HOOKED(posix_memalign, int, (void **, size_t, size_t))                                        \
  HOOKED(aligned_alloc, void *, (size_t, size_t))                                               \
  HOOKED(valloc, void *, (size_t))                                                              \
  HOOKED(pvalloc, void *, (size_t))                                                             \
  HOOK(reallocarray, void *, (void *, size_t, size_t))                                          \
  HOOK(cfree, void, (void *))                                                                   \
  HOOK(memhook_alloc, void, (const void *, size_t))                                             \
  HOOK(memhook_free, void, (const void *))                                                      \
  HOOKED(mmap, void *, (void *, size_t, int, int, int, off_t))                                  \
  HOOKED(mmap64, void *, (void *, size_t, int, int, int, off_t))                                \
  HOOKED(munmap, int, (void *, size_t))                                                         \
  HOOKED(mremap, void *, (void *, size_t, size_t, int, ...))                                    \
  HOOKED(mprotect, int, (void *, size_t, int))                                                  \
  HOOKED(pkey_mprotect, int, (void *, size_t, int, int))                                        \
  HOOKED(dlopen, void *, (const char *, int))                                                   \
  HOOKED(dlmopen, void *, (long, const char *, int))                                            \
  HOOKED(dlclose, int, (void *))                                                                \
  HOOKED(execve, int, (const char *, char *const *, char *const *))                             \
  HOOKED(execv, int, (const char *, char *const *))                                             \
  HOOKED(execvp, int, (const char *, char *const *))                                            \
  HOOKED(execvpe, int, (const char *, char *const *, char *const *))                            \
  HOOKED(fexecve, int, (int, char *const *, char *const *))                                     \
  HOOKED(posix_spawn, int, (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, \
                            char *const *, char *const *))                                      \
  HOOKED(posix_spawnp, int, (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, \
                             char *const *, char *const *))                                     \
  HOOKED(system, int, (const char *))                                                           \
  HOOKED(popen, FILE *, (const char *, const char *))                                           \
  HOOK(execl, int, (const char *, const char *, ...))                                           \
  HOOK(execlp, int, (const char *, const char *, ...))                                          \
  HOOK(execle, int, (const char *, const char *, ...))                                          \
  HOOKED(_Fork, pid_t, (void))                                                                  \
  REAL(fork, pid_t, (void))                                                                     \
  HOOKED(_exit, void, (int))                                                                    \
  HOOK(_Exit, void, (int))                                                                      \
  HOOKED(quick_exit, void, (int))                                                               \
  HOOKED(unshare, int, (int))                                                                   \
  HOOKED(setns, int, (int, int))                                                                \
  HOOKED(sigaltstack, int, (const stack_t *, stack_t *))                                        \
  HOOKED(prctl, int, (int, unsigned long, unsigned long, unsigned long, unsigned long))         \
  HOOKED(syscall, long, (long, long, long, long, long, long, long))                             \
  HOOKED(localtime, struct tm *, (const time_t *))                                              \
  HOOKED(localtime_r, struct tm *, (const time_t *, struct tm *))                               \
  HOOKED(mktime, time_t, (struct tm *))                                                         \
  HOOKED(strftime, size_t, (char *, size_t, const char *, const struct tm *))                   \
  REAL(dl_iterate_phdr, int, (int (*)(struct dl_phdr_info *, size_t, void *), void *))          \
  REAL(dlerror, char *, (void))                                                                 \
  REAL(pthread_create, int, (void)) /* never called: threads begin where it is */               \
  REAL(gnu_get_libc_version, const char *, (void)) /* glibc alone has it */                     \
  REAL(getauxval, unsigned long, (unsigned long)) /* where it is, there is libc */              \
  REAL(__tls_get_addr, void *, (void)) /* the same for the loader */                            \
  HOOK(_Znwm, void *, (size_t))                                                                 \
  HOOK(_Znam, void *, (size_t))                                                                 \
  HOOK(_ZnwmRKSt9nothrow_t, void *, (size_t, const struct nothrow *))                           \
  HOOK(_ZnamRKSt9nothrow_t, void *, (size_t, const struct nothrow *))                           \
  HOOK(_ZnwmSt11align_val_t, void *, (size_t, size_t))                                          \
  HOOK(_ZnamSt11align_val_t, void *, (size_t, size_t))                                          \
  HOOK(_ZnwmSt11align_val_tRKSt9nothrow_t, void *, (size_t, size_t, const struct nothrow *))    \
  HOOK(_ZnamSt11align_val_tRKSt9nothrow_t, void *, (size_t, size_t, const struct nothrow *))    \
  HOOK(_ZdlPv, void, (void *))                                                                  \
  HOOK(_ZdaPv, void, (void *))                                                                  \
  HOOK(_ZdlPvm, void, (void *, size_t))                                                         \
  HOOK(_ZdaPvm, void, (void *, size_t))                                                         \
  HOOK(_ZdlPvRKSt9nothrow_t, void, (void *, const struct nothrow *))                            \
  HOOK(_ZdaPvRKSt9nothrow_t, void, (void *, const struct nothrow *))                            \
  HOOK(_ZdlPvSt11align_val_t, void, (void *, size_t))                                           \
  HOOK(_ZdaPvSt11align_val_t, void, (void *, size_t))                                           \
  HOOK(_ZdlPvmSt11align_val_t, void, (void *, size_t, size_t))                                  \
  HOOK(_ZdaPvmSt11align_val_t, void, (void *, size_t, size_t))                                  \
  HOOK(_ZdlPvSt11align_val_tRKSt9nothrow_t, void, (void *, size_t, const struct nothrow *))     \
  HOOK(_ZdaPvSt11align_val_tRKSt9nothrow_t, void, (void *, size_t, const struct nothrow *))
