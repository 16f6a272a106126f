/* Hooks: exec, and all other ways to start a program.
 *
 * exec replaces the image. The old image's store notes that as its end, and takes it back if the exec fails. The new
 * image, if memhook is preloaded in it too, makes a store of its own, at the same path (claim.h).
 *
 * A relative MEMHOOK_FILE means one folder for the whole family of processes, wherever its programs begin. So a program
 * that is started gets the absolute path in its environment. */
#include <errno.h>
#include <stdarg.h>

#include "../records/fork_log.h"
#include "hook.h"
#include "../base/lock.h"
#include "../life/life.h"
#include "../base/process.h"
#include "../base/settings.h"
#include "../base/text.h"

/* Notes the end; returns whether it did. A child of vfork runs in its parent's memory, and must not note its end. */
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

#define ENTRIES_MAX 512 /* of an environment, which is copied onto the stack, and that may be small */

/* The number of the entry with MEMHOOK_FILE, if it still has the relative path that this process began with; else -1.
 * `count` receives the number of entries. */
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

/* Declares `copy`: the environment with the absolute path; NULL if nothing needs to change. It is on the stack, because
 * a child of vfork has no other memory of its own. */
#define WITH_FOLDER(copy, environment)                                               \
  unsigned count_;                                                                   \
  int place_ = relative_entry(environment, &count_);                                 \
  char **copy = place_ < 0 ? NULL : __builtin_alloca((count_ + 1) * sizeof(char *)); \
  for (unsigned i_ = 0; copy && i_ <= count_; i_++)                                  \
    copy[i_] = (int)i_ == place_ ? (char *)(uintptr_t)mh_settings.file_entry : (environment)[i_]

/* `unchanged`: the call as it was made; `moved`: the same call with the environment `copy`. */
#define EXEC(name, parameters, environment, unchanged, moved) \
  MH_HOOK int name parameters {                               \
    MH_FIND_REAL(name);                                       \
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

/* These start another program, perhaps in another folder, and do not end this image. */
#define SPAWN(name)                                                                                           \
  MH_HOOK int name(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,                   \
                   const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) { \
    MH_FIND_REAL(name);                                                                                       \
    if (MH_UNLIKELY(!mh_real.name)) return ENOSYS;                                                            \
    WITH_FOLDER(copy, environment);                                                                           \
    return mh_real.name(pid, file, actions, attributes, arguments, copy ? copy : environment);                \
  }

SPAWN(posix_spawn)
SPAWN(posix_spawnp)

/* system and popen give the shell the process's own environment. While one of them runs, `environ` is a copy with the
 * absolute path. The program's array is not changed: it may be in read-only memory, and another thread may be reading
 * it. The copy is never freed, for the same reason. */
static struct {
  struct mh_lock lock;
  uint32_t borrowers;
  char **original, **copy;
  char *entry; /* the original one that the copy replaces */
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

/* Another thread may have set a variable meanwhile, and so made a new environment from the copy. */
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

/* Runs a shell, with the absolute path in the environment. */
#define SHELL(result_type, name, parameters, call, none) \
  MH_HOOK result_type name parameters {                  \
    MH_FIND_REAL(name);                                  \
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

/* The list forms call the vector forms above. The list is "argument…, NULL", and for execle then the environment. */
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
