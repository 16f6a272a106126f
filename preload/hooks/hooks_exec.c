/* Hooks: exec. The store of the image that is being replaced notes it; when the exec fails, takes it back. The new
 * image, if it is preloaded too, makes a store of its own (at the same path: see claim.h).
 *
 * And all ways to start a program: a relative path of the store means one folder for the whole family, wherever its
 * programs begin. So they are given the absolute one. */
#include <errno.h>
#include <stdarg.h>

#include "../records/fork_log.h"
#include "hook.h"
#include "../base/lock.h"
#include "../life/life.h"
#include "../base/process.h"
#include "../base/settings.h"
#include "../base/text.h"

/* Whether this process noted its end. A child of vfork runs in its parent's memory, whose end this is not. */
static bool note(void) {
  mh_fork_log_renounce();
  if ((uint32_t)mh_getpid() != mh_process.pid || !mh_enter(MH_HOOK_WRAP)) return false;
  mh_begin();
  mh_end(MH_END_EXEC, 0);
  mh_finish();
  mh_leave();
  return true;
}

static int failed(bool noted) {
  mh_fork_log_want();
  if (noted) mh_end_not();
  return -1;
}

extern char **environ;

#define ENTRIES_MAX 512 /* of an environment that is copied onto the stack, which may be small */

/* Where a program that is given this environment would look for the store: the number of the entry that says
 * MEMHOOK_FILE as this process found it, a relative path. -1: there is none. `count` becomes the number of entries. */
static int relative_entry(char *const *environment, unsigned *count) {
  int found = -1;
  *count = 0;
  if (!environment || !mh_settings.file_entry) return -1;
  const char *given = mh_settings.file + mh_settings.file_folder;
  for (; *count < ENTRIES_MAX && environment[*count]; (*count)++) {
    const char *entry = environment[*count];
    if (mh_starts(entry, MH_FILE_ENTRY) && mh_equal(entry + sizeof(MH_FILE_ENTRY) - 1, given)) found = (int)*count;
  }
  return *count < ENTRIES_MAX ? found : -1;
}

/* Declares `copy`: that environment with an absolute path, since it may be another folder that the program begins in;
 * NULL if it can be as it is. On the stack, as a child of vfork has nothing else of its own. */
#define WITH_FOLDER(copy, environment)                                               \
  unsigned count_;                                                                   \
  int place_ = relative_entry(environment, &count_);                                 \
  char **copy = place_ < 0 ? NULL : __builtin_alloca((count_ + 1) * sizeof(char *)); \
  for (unsigned i_ = 0; copy && i_ <= count_; i_++)                                  \
    copy[i_] = (int)i_ == place_ ? (char *)(uintptr_t)mh_settings.file_entry : (environment)[i_]

/* `unchanged`: the call as it was made; `moved`: the same call with the environment `copy`. */
#define EXEC(name, parameters, environment, unchanged, moved) \
  MH_HOOK int name parameters {                               \
    if (MH_UNLIKELY(!mh_real.name)) mh_real_find();           \
    if (MH_UNLIKELY(!mh_real.name)) {                         \
      errno = ENOSYS;                                         \
      return -1;                                              \
    }                                                         \
    WITH_FOLDER(copy, environment);                           \
    bool noted = note();                                      \
    if (copy)                                                 \
      mh_real.moved;                                          \
    else                                                      \
      mh_real.unchanged;                                      \
    return failed(noted);                                     \
  }

EXEC(execve, (const char *path, char *const arguments[], char *const environment[]), environment,
     execve(path, arguments, environment), execve(path, arguments, copy))
EXEC(execv, (const char *path, char *const arguments[]), environ, execv(path, arguments), execve(path, arguments, copy))
EXEC(execvp, (const char *file, char *const arguments[]), environ, execvp(file, arguments),
     execvpe(file, arguments, copy))
EXEC(execvpe, (const char *file, char *const arguments[], char *const environment[]), environment,
     execvpe(file, arguments, environment), execvpe(file, arguments, copy))
EXEC(fexecve, (int fd, char *const arguments[], char *const environment[]), environment,
     fexecve(fd, arguments, environment), fexecve(fd, arguments, copy))

/* Not the end of this image, but the beginning of another, perhaps in another folder. */
#define SPAWN(name)                                                                                           \
  MH_HOOK int name(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,                   \
                   const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) { \
    if (MH_UNLIKELY(!mh_real.name)) mh_real_find();                                                           \
    if (MH_UNLIKELY(!mh_real.name)) return ENOSYS;                                                            \
    WITH_FOLDER(copy, environment);                                                                           \
    return mh_real.name(pid, file, actions, attributes, arguments, copy ? copy : environment);                \
  }

SPAWN(posix_spawn)
SPAWN(posix_spawnp)

/* The environment that shells get, while at least one is being started. The program's own stays as it is: it may be in
 * read-only memory, and another thread may be reading it. So may one be reading the copy when that is over; it is never
 * given back. */
static struct {
  struct mh_lock lock;
  uint32_t borrowers;
  char **original, **copy;
  char *entry; /* that is another one in the copy */
} lent;

static bool lend_copy(void) {
  unsigned count;
  char **original = environ;
  int place = relative_entry(original, &count);
  if (place < 0) return false;
  if (!lent.copy) lent.copy = mh_map_private((ENTRIES_MAX + 1) * sizeof(char *));
  if (!lent.copy) return false;
  for (unsigned i = 0; i <= count; i++)
    MH_SET(lent.copy[i], (int)i == place ? (char *)(uintptr_t)mh_settings.file_entry : original[i]);
  lent.original = original;
  lent.entry = original[place];
  __atomic_store_n(&environ, lent.copy, __ATOMIC_RELEASE);
  return true;
}

static bool lend_folder(void) {
  if (MH_LIKELY(!mh_settings.file_entry) ||
      mh_lock_acquire_reentrant(&lent.lock, (uint32_t)mh_gettid()) == MH_LOCK_REFUSED)
    return false;
  bool borrowed = lent.borrowers && environ == lent.copy;
  if (!borrowed && !lent.borrowers) borrowed = lend_copy();
  lent.borrowers += borrowed;
  mh_lock_release(&lent.lock);
  return borrowed;
}

void mh_exec_forked(void) {
  lent.lock = (struct mh_lock){0};
}

/* Another thread may have set a variable meanwhile, and so have made an environment of its own from the copy. */
static void put_entry_back(void) {
  for (int i = 0; environ && environ[i]; i++)
    if (environ[i] == mh_settings.file_entry) MH_SET(environ[i], lent.entry);
}

static void take_folder_back(void) {
  if (mh_lock_acquire_reentrant(&lent.lock, (uint32_t)mh_gettid()) == MH_LOCK_REFUSED) return;
  char **copy = lent.copy;
  if (--lent.borrowers == 0 &&
      !__atomic_compare_exchange_n(&environ, &copy, lent.original, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
    put_entry_back();
  mh_lock_release(&lent.lock);
}

/* The shell gets the environment as it is: so long it is another one. */
#define SHELL(result_type, name, parameters, call, none) \
  MH_HOOK result_type name parameters {                  \
    if (MH_UNLIKELY(!mh_real.name)) mh_real_find();      \
    if (MH_UNLIKELY(!mh_real.name)) {                    \
      errno = ENOSYS;                                    \
      return none;                                       \
    }                                                    \
    if (MH_LIKELY(!lend_folder())) return mh_real.call;  \
    result_type result = mh_real.call;                   \
    take_folder_back();                                  \
    return result;                                       \
  }

SHELL(int, system, (const char *command), system(command), -1)
SHELL(FILE *, popen, (const char *command, const char *mode), popen(command, mode), NULL)

/* The list forms, turned into the vector forms above: "argument…, NULL" and for execle the environment behind it. */
#define COLLECT(vector, argument, rest)                            \
  va_list rest;                                                    \
  size_t count_ = 1;                                               \
  va_start(rest, argument);                                        \
  while (va_arg(rest, char *)) count_++;                           \
  va_end(rest);                                                    \
  char **vector = __builtin_alloca((count_ + 1) * sizeof(char *)); \
  vector[0] = (char *)(uintptr_t)argument;                         \
  va_start(rest, argument);                                        \
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
