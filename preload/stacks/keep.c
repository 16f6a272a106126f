/* Keeping files of modules; see keep.h. It uses system calls only, and no buffer: the stack may be a small one of a
 * coroutine. */
#include "keep.h"

#include <errno.h>
#include <sys/resource.h>

#include "image.h"
#include "../base/settings.h"
#include "../base/sys.h"
#include "../base/text.h"

/* For one process. */
#define FILES_MOST 256
#define COPY_MOST (8u << 20)
#define COPIES_MOST (64u << 20)
/* Descriptors among which the program may have the file of a module that has no name. */
#define DESCRIPTORS 256
#define NAME_BYTES 64

bool mh_keeps;

static char folder[4096];
static struct timespec since; /* the beginning of the run */
static uint32_t files;
static uint64_t copied;

void mh_keep_start(void) {
  struct mh_text text = {.data = folder, .capacity = sizeof(folder)};
  struct stat status;
  /* Filters from before the program began may forbid these calls, and cannot be run. */
  if (!mh_settings.file || mh_syscall_filtered) return;
  mh_text_add(&text, mh_settings.file);
  mh_text_add(&text, ".modules");
  if (text.cut || mh_stat(folder, &status) < 0 || !S_ISDIR(status.st_mode) || status.st_uid != mh_geteuid()) return;
  size_t length = text.length;
  mh_text_add(&text, "/since");
  if (text.cut || mh_stat(folder, &status) < 0) return;
  folder[length] = 0;
  since = status.st_mtim;
  mh_keeps = true;
}

static bool is_new(const struct stat *status) {
  return status->st_ctim.tv_sec > since.tv_sec ||
         (status->st_ctim.tv_sec == since.tv_sec && status->st_ctim.tv_nsec >= since.tv_nsec);
}

static bool is_temporary(const char *path) {
  static const char *const folders[] = {"/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/proc/"};
  for (unsigned i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
    if (mh_starts(path, folders[i])) return true;
  return false;
}

/* False: the kernel would end the program for so large a file (RLIMIT_FSIZE), or enough has been copied. */
static bool may_copy(uint64_t bytes) {
  struct rlimit limit;
  if (bytes > COPY_MOST || MH_GET(copied) + bytes > COPIES_MOST) return false;
  if (mh_syscall(SYS_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit, 0, 0) < 0) return false;
  return limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur;
}

static bool copy(int from, const struct stat *status, int to_folder, const char *name) {
  uint64_t bytes = (uint64_t)status->st_size;
  if (!may_copy(bytes)) return false;
  int to = (int)mh_syscall(SYS_openat, to_folder, (long)name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600, 0, 0);
  if (to < 0) return false;
  int64_t at = 0;
  /* With an explicit offset: the program may share the descriptor's own one. */
  while ((uint64_t)at < bytes) {
    long sent = mh_syscall(SYS_sendfile, to, from, (long)&at, (long)(bytes - (uint64_t)at), 0, 0);
    if (sent <= 0 && sent != -EINTR) break;
  }
  /* A file without a build id is recognized by its time, among others. */
  const struct timespec times[2] = {status->st_mtim, status->st_mtim};
  mh_syscall(SYS_utimensat, to, 0, (long)times, 0, 0, 0);
  mh_close(to);
  bool whole = (uint64_t)at >= bytes;
  if (whole)
    __atomic_fetch_add(&copied, bytes, __ATOMIC_RELAXED);
  else
    mh_syscall(SYS_unlinkat, to_folder, (long)name, 0, 0, 0, 0);
  return whole;
}

/* Keeps a file, given by a path; or by a descriptor, if there is no path. */
static void keep(const char *path, int descriptor, const struct stat *status) {
  if (MH_GET(files) >= FILES_MOST) return;
  int in = mh_open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
  if (in < 0) return;
  MH_TEXT(name, NAME_BYTES);
  mh_text_add_number(&name, status->st_dev);
  mh_text_add(&name, "-");
  mh_text_add_number(&name, status->st_ino);
  bool kept = false;
  if (mh_syscall(SYS_faccessat, in, (long)name.data, 0, 0, 0, 0) == -ENOENT) {
    int from = path ? mh_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0) : descriptor;
    kept = from >= 0 && copy(from, status, in, name.data);
    if (path && from >= 0) mh_close(from);
    if (!kept && path && status->st_nlink)
      kept = mh_syscall(SYS_linkat, AT_FDCWD, (long)path, in, (long)name.data, AT_SYMLINK_FOLLOW, 0) == 0;
  }
  mh_close(in);
  if (kept) __atomic_fetch_add(&files, 1, __ATOMIC_RELAXED);
}

static bool find(const char *path, struct stat *status) {
  return mh_syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)status, 0, 0, 0) == 0 && S_ISREG(status->st_mode);
}

void mh_keep_file(const char *path) {
  struct stat status;
  bool is_path = false;
  for (const char *at = path; at && *at; at++) is_path = is_path || *at == '/';
  if (is_path && find(path, &status) && (is_temporary(path) || is_new(&status))) keep(path, -1, &status);
}

void mh_keep_module(const struct mh_mapped_file *first) {
  struct stat status;
  if (!first->line.inode) return;
  if (find(first->path, &status) && status.st_ino == first->line.inode) {
    if (is_temporary(first->path) || is_new(&status)) keep(first->path, -1, &status);
    return;
  }
  if (find("/proc/self/exe", &status) && status.st_ino == first->line.inode) {
    keep("/proc/self/exe", -1, &status);
    return;
  }
  for (int descriptor = 0; descriptor < DESCRIPTORS; descriptor++) {
    if (mh_fstat(descriptor, &status) < 0 || status.st_ino != first->line.inode || !S_ISREG(status.st_mode)) continue;
    keep(NULL, descriptor, &status);
    return;
  }
}
