/* The one list of the functions that memhook hooks or calls. From it are made: the hooks' declarations (hook.h), the
 * operators' hooks (hooks_new.c) and their table (operator_list.h), the table of the real functions (real.h), and the
 * list of exports (libmemhook.map.in). The last is made by the preprocessor alone, so no header is included here.
 *
 * MH_FUNCTIONS(HOOKED, HOOK, REAL): each with name, result, parameters.
 *
 *   HOOKED  hooked; the real function is mh_real.name
 *   HOOK    hooked, or memhook's own; it calls another one of these, or none, or looks the real one up when called
 *   REAL    only called
 *
 * MH_OPERATORS(NEW, ALIGNED, DELETE, X): the C++ operators. Each has X, its symbol, the symbol to which a C++ runtime's
 * own operator forwards (its own symbol if to none), parameters, arguments.
 */
#pragma once

#define MH_OPERATORS(NEW, ALIGNED, DELETE, X)                                                                  \
  NEW(X, _Znwm, _Znwm, (size_t size), (size))                                                                  \
  NEW(X, _Znam, _Znwm, (size_t size), (size))                                                                  \
  NEW(X, _ZnwmRKSt9nothrow_t, _Znwm, (size_t size, const struct nothrow *tag), (size, tag))                    \
  NEW(X, _ZnamRKSt9nothrow_t, _Znam, (size_t size, const struct nothrow *tag), (size, tag))                    \
  ALIGNED(X, _ZnwmSt11align_val_t, _ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment))   \
  ALIGNED(X, _ZnamSt11align_val_t, _ZnwmSt11align_val_t, (size_t size, size_t alignment), (size, alignment))   \
  ALIGNED(X, _ZnwmSt11align_val_tRKSt9nothrow_t, _ZnwmSt11align_val_t,                                         \
          (size_t size, size_t alignment, const struct nothrow *tag), (size, alignment, tag))                  \
  ALIGNED(X, _ZnamSt11align_val_tRKSt9nothrow_t, _ZnamSt11align_val_t,                                         \
          (size_t size, size_t alignment, const struct nothrow *tag), (size, alignment, tag))                  \
  DELETE(X, _ZdlPv, _ZdlPv, (void *block), (block))                                                            \
  DELETE(X, _ZdaPv, _ZdlPv, (void *block), (block))                                                            \
  DELETE(X, _ZdlPvm, _ZdlPv, (void *block, size_t size), (block, size))                                        \
  DELETE(X, _ZdaPvm, _ZdaPv, (void *block, size_t size), (block, size))                                        \
  DELETE(X, _ZdlPvRKSt9nothrow_t, _ZdlPv, (void *block, const struct nothrow *tag), (block, tag))              \
  DELETE(X, _ZdaPvRKSt9nothrow_t, _ZdaPv, (void *block, const struct nothrow *tag), (block, tag))              \
  DELETE(X, _ZdlPvSt11align_val_t, _ZdlPvSt11align_val_t, (void *block, size_t alignment), (block, alignment)) \
  DELETE(X, _ZdaPvSt11align_val_t, _ZdlPvSt11align_val_t, (void *block, size_t alignment), (block, alignment)) \
  DELETE(X, _ZdlPvmSt11align_val_t, _ZdlPvSt11align_val_t,                                                     \
          (void *block, size_t size, size_t alignment), (block, size, alignment))                              \
  DELETE(X, _ZdaPvmSt11align_val_t, _ZdaPvSt11align_val_t,                                                     \
          (void *block, size_t size, size_t alignment), (block, size, alignment))                              \
  DELETE(X, _ZdlPvSt11align_val_tRKSt9nothrow_t, _ZdlPvSt11align_val_t,                                        \
          (void *block, size_t alignment, const struct nothrow *tag), (block, alignment, tag))                 \
  DELETE(X, _ZdaPvSt11align_val_tRKSt9nothrow_t, _ZdaPvSt11align_val_t,                                        \
          (void *block, size_t alignment, const struct nothrow *tag), (block, alignment, tag))

#define MH_NEW_FUNCTION(X, symbol, next, parameters, arguments) X(symbol, void *, parameters)
#define MH_DELETE_FUNCTION(X, symbol, next, parameters, arguments) X(symbol, void, parameters)

#define MH_FUNCTIONS(HOOKED, HOOK, REAL)                                                                           \
  HOOKED(malloc, void *, (size_t))                                                                                 \
  HOOKED(free, void, (void *))                                                                                     \
  HOOKED(calloc, void *, (size_t, size_t))                                                                         \
  HOOKED(realloc, void *, (void *, size_t))                                                                        \
  HOOKED(memalign, void *, (size_t, size_t))                                                                       \
  HOOKED(posix_memalign, int, (void **, size_t, size_t))                                                           \
  HOOKED(aligned_alloc, void *, (size_t, size_t))                                                                  \
  HOOKED(valloc, void *, (size_t))                                                                                 \
  HOOKED(pvalloc, void *, (size_t))                                                                                \
  HOOK(reallocarray, void *, (void *, size_t, size_t))                                                             \
  HOOK(cfree, void, (void *))                                                                                      \
  HOOK(memhook_alloc, void, (const void *, size_t))                                                                \
  HOOK(memhook_free, void, (const void *))                                                                         \
  HOOKED(mmap, void *, (void *, size_t, int, int, int, off_t))                                                     \
  HOOKED(mmap64, void *, (void *, size_t, int, int, int, off_t))                                                   \
  HOOKED(munmap, int, (void *, size_t))                                                                            \
  HOOKED(mremap, void *, (void *, size_t, size_t, int, ...))                                                       \
  HOOKED(mprotect, int, (void *, size_t, int))                                                                     \
  HOOKED(pkey_mprotect, int, (void *, size_t, int, int))                                                           \
  HOOKED(dlopen, void *, (const char *, int))                                                                      \
  HOOKED(dlmopen, void *, (long, const char *, int))                                                               \
  HOOKED(dlclose, int, (void *))                                                                                   \
  HOOKED(execve, int, (const char *, char *const *, char *const *))                                                \
  HOOKED(execv, int, (const char *, char *const *))                                                                \
  HOOKED(execvp, int, (const char *, char *const *))                                                               \
  HOOKED(execvpe, int, (const char *, char *const *, char *const *))                                               \
  HOOKED(fexecve, int, (int, char *const *, char *const *))                                                        \
  HOOKED(posix_spawn, int, (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,  \
                            char *const *, char *const *))                                                         \
  HOOKED(posix_spawnp, int, (pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, \
                             char *const *, char *const *))                                                        \
  HOOKED(system, int, (const char *))                                                                              \
  HOOKED(popen, FILE *, (const char *, const char *))                                                              \
  HOOK(execl, int, (const char *, const char *, ...))                                                              \
  HOOK(execlp, int, (const char *, const char *, ...))                                                             \
  HOOK(execle, int, (const char *, const char *, ...))                                                             \
  HOOKED(_Fork, pid_t, (void))                                                                                     \
  REAL(fork, pid_t, (void))                                                                                        \
  HOOKED(_exit, void, (int))                                                                                       \
  HOOK(_Exit, void, (int))                                                                                         \
  HOOKED(exit, void, (int))                                                                                        \
  HOOKED(quick_exit, void, (int))                                                                                  \
  HOOKED(__libc_start_main, int,                                                                                   \
         (int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *))   \
  HOOKED(unshare, int, (int))                                                                                      \
  HOOKED(setns, int, (int, int))                                                                                   \
  HOOKED(sigaltstack, int, (const stack_t *, stack_t *))                                                           \
  HOOKED(prctl, int, (int, unsigned long, unsigned long, unsigned long, unsigned long))                            \
  HOOKED(syscall, long, (long, long, long, long, long, long, long))                                                \
  HOOKED(localtime, struct tm *, (const time_t *))                                                                 \
  HOOKED(localtime_r, struct tm *, (const time_t *, struct tm *))                                                  \
  HOOKED(mktime, time_t, (struct tm *))                                                                            \
  HOOKED(strftime, size_t, (char *, size_t, const char *, const struct tm *))                                      \
  REAL(dl_iterate_phdr, int, (int (*)(struct dl_phdr_info *, size_t, void *), void *))                             \
  REAL(dlerror, char *, (void))                                                                                    \
  REAL(pthread_create, int, (void)) /* never called: threads begin in its library */                                  \
  REAL(gnu_get_libc_version, const char *, (void)) /* only glibc has it */                                        \
  REAL(getauxval, unsigned long, (unsigned long)) /* its address is in libc */                                 \
  REAL(__tls_get_addr, void *, (void)) /* its address is in the loader */                                       \
  MH_OPERATORS(MH_NEW_FUNCTION, MH_NEW_FUNCTION, MH_DELETE_FUNCTION, HOOK)
