/* Hooks: exec. The store of the image that is being replaced notes it; when the exec fails, takes it back. The new image, if
 * it is preloaded too, makes a store of its own (at the same path: see claim.h). */
#include <errno.h>
#include <stdarg.h>

#include "hook.h"
#include "process.h"

/* Whether this process noted its end. A child of vfork runs in its parent's memory, whose end this is not. */
static bool note(void) {
  if ((uint32_t)mh_getpid() != mh_process.pid || !mh_enter(MH_HOOK_WRAP)) return false;
  mh_begin();
  mh_end(MH_END_EXEC, 0);
  mh_finish();
  mh_leave();
  return true;
}

static int failed(bool noted) {
  if (noted) mh_end_not();
  return -1;
}

#define EXEC(name, parameters, arguments)             \
  MH_HOOK int name parameters {                       \
    if (MH_UNLIKELY(!mh_real.name)) mh_real_find();   \
    if (MH_UNLIKELY(!mh_real.name)) {                 \
      errno = ENOSYS;                                 \
      return -1;                                      \
    }                                                 \
    bool noted = note();                              \
    mh_real.name arguments;                           \
    return failed(noted);                             \
  }

EXEC(execve, (const char *path, char *const arguments[], char *const environment[]), (path, arguments, environment))
EXEC(execv, (const char *path, char *const arguments[]), (path, arguments))
EXEC(execvp, (const char *file, char *const arguments[]), (file, arguments))
EXEC(execvpe, (const char *file, char *const arguments[], char *const environment[]), (file, arguments, environment))
EXEC(fexecve, (int fd, char *const arguments[], char *const environment[]), (fd, arguments, environment))

/* The list forms, turned into the vector forms above: "argument…, NULL" and for execle the environment behind it. */
#define COLLECT(vector, argument, rest)                                                  \
  va_list rest;                                                                          \
  size_t count_ = 1;                                                                     \
  va_start(rest, argument);                                                              \
  while (va_arg(rest, char *)) count_++;                                                 \
  va_end(rest);                                                                          \
  char **vector = __builtin_alloca((count_ + 1) * sizeof(char *));                                 \
  vector[0] = (char *)(uintptr_t)argument;                                               \
  va_start(rest, argument);                                                              \
  for (size_t i_ = 1; i_ <= count_; i_++) vector[i_] = va_arg(rest, char *)

MH_HOOK int execl(const char *path, const char *argument, ...) {
  COLLECT(vector, argument, rest);
  va_end(rest);
  return execv(path, vector);
}

MH_HOOK int execlp(const char *file, const char *argument, ...) {
  COLLECT(vector, argument, rest);
  va_end(rest);
  return execvp(file, vector);
}

MH_HOOK int execle(const char *path, const char *argument, ...) {
  COLLECT(vector, argument, rest);
  char *const *environment = va_arg(rest, char *const *);
  va_end(rest);
  return execve(path, vector, environment);
}
