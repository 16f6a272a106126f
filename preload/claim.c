/* Claiming a path; see claim.h.
 *
 * flock on the file itself decides between newcomers: whoever has it may look at the header and replace the
 * file; whoever does not get it at once treats the file as a living process's. It is held only until the
 * header is written: afterwards the header tells who the owner is. To processes in other pid namespaces, where the owner's number
 * is somebody else's, a lock that it keeps on the file's first byte tells that it lives.
 *
 * Paths and headers are static: only the thread that starts memhook comes here, and its stack may be small.
 */
#include "claim.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

#include "layout.h"
#include "log.h"
#include "process.h"
#include "settings.h"
#include "store.h"
#include "sys.h"
#include "text.h"

enum verdict { MINE, TAKEN, REFUSED, AGAIN };

/* Makes `text` absolute: later growth of the file may need to open it again after a chdir. */
static void add_absolute(struct mh_text *text, const char *path) {
  if (path[0] != '/') {
    static char cwd[4096];
    long length = mh_syscall(SYS_getcwd, (long)cwd, sizeof(cwd), 0, 0, 0, 0);
    if (length > 1 && cwd[0] == '/') {
      mh_text_add(text, cwd);
      if (cwd[1]) mh_text_add(text, "/");
    }
  }
}

static void add_pattern(struct mh_text *text, const char *pattern) {
  for (const char *at = pattern; *at; at++) {
    if (at[0] == '%' && at[1] == 'p') {
      mh_text_add_number(text, mh_process.pid);
      at++;
    } else if (at[0] == '%' && at[1] == 'e') {
      mh_text_add(text, mh_process_name());
      at++;
    } else {
      mh_text_add_bytes(text, at, 1);
    }
  }
}

/* "a/b.ext" → "a/b.PID.ext", "a/b" → "a/b.PID". */
static void add_pid(struct mh_text *text, const char *path) {
  const char *dot = NULL, *name = path;
  for (const char *at = path; *at; at++) {
    if (*at == '/') name = at + 1, dot = NULL;
    if (*at == '.' && at > name) dot = at;
  }
  size_t stem = dot ? (size_t)(dot - path) : mh_length(path);
  mh_text_add_bytes(text, path, stem);
  mh_text_add(text, ".");
  mh_text_add_number(text, mh_process.pid);
  mh_text_add(text, path + stem);
}

/* The owner's mark: a lock of the open file itself, which ends with the process (or when the program closes the descriptor). */
#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif
static int mark(int fd, int command, struct flock *lock) {
  *lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  return mh_fcntl(fd, command, (long)lock);
}

/* Where such locks are not known, better one store too many than a living process's replaced. */
static bool is_marked(int fd) {
  struct flock lock;
  return mark(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

/* Whether the process that wrote this header may still be using the file. */
static bool owner_lives(int fd, const struct mh_header *header) {
  static const uint8_t unknown[16];
  bool same_boot = true, boot_known = false;
  for (int i = 0; i < 16; i++) {
    same_boot = same_boot && header->boot_id[i] == mh_process.boot_id[i];
    boot_known = boot_known || header->boot_id[i] != unknown[i];
  }
  if (boot_known && !same_boot) return false;
  /* In another pid namespace (a container with the same folder) the number says nothing; the owner's mark does. */
  if (header->pid_namespace && mh_process.pid_namespace && header->pid_namespace != mh_process.pid_namespace)
    return is_marked(fd);
  if (header->pid == mh_process.pid && header->process_start == mh_process.start) return false;
  return mh_process_lives(header->pid, header->process_start);
}

/* Looks at the file behind `fd`, whose lock is held. */
static enum verdict judge(int fd, const char *path) {
  struct stat opened, named;
  if (mh_fstat(fd, &opened) < 0 || !S_ISREG(opened.st_mode)) return REFUSED;
  if (mh_stat(path, &named) < 0 || named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) return AGAIN;
  if (opened.st_size == 0) return MINE;
  static struct mh_header header;
  if (mh_pread(fd, &header, sizeof(header), 0) != sizeof(header)) return REFUSED;
  bool complete = header.magic[0] == MH_STORE_MAGIC_LOW && header.magic[1] == MH_STORE_MAGIC_HIGH;
  if (!complete && (header.magic[0] || header.magic[1] || header.version_major != MH_STORE_VERSION_MAJOR)) return REFUSED;
  if (complete && owner_lives(fd, &header)) return TAKEN;
  /* A dead owner's store, or one whose maker died before it was complete. A viewer that has it open keeps it. */
  return mh_unlink(path) < 0 ? TAKEN : AGAIN;
}

/* A file that may not be opened: another user's, most likely his store. */
static enum verdict judge_closed(const char *path, int error) {
  struct stat named;
  return error == -EACCES && mh_stat(path, &named) == 0 && S_ISREG(named.st_mode) ? TAKEN : REFUSED;
}

static enum verdict try_path(const char *path, int *fd) {
  for (int turn = 0; turn < 8; turn++) {
    *fd = mh_open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (*fd < 0) return judge_closed(path, *fd);
    enum verdict verdict = mh_flock(*fd, LOCK_EX | LOCK_NB) < 0 ? TAKEN : judge(*fd, path);
    if (verdict == MINE) return MINE;
    mh_close(*fd);
    if (verdict != AGAIN) return verdict;
  }
  return TAKEN;
}

int mh_claim(char *path, unsigned path_bytes) {
  struct mh_text wanted = {.data = path, .capacity = path_bytes};
  if (mh_settings.file) {
    add_absolute(&wanted, mh_settings.file);
    add_pattern(&wanted, mh_settings.file);
  } else {
    mh_text_add(&wanted, "/dev/shm/");
    mh_text_add(&wanted, mh_settings.shm_name);
  }
  int fd = -1;
  enum verdict verdict = wanted.cut ? REFUSED : try_path(path, &fd);
  if (verdict == TAKEN) {
    static char data[4096];
    struct mh_text own = {.data = data, .capacity = sizeof(data)};
    data[0] = 0;
    add_pid(&own, path);
    wanted.length = 0;
    mh_text_add(&wanted, own.data);
    verdict = own.cut ? REFUSED : try_path(path, &fd);
  }
  if (verdict == MINE) {
    /* A high number keeps it out of the way of programs that expect the lowest ones, or close all the low ones. */
    int high = mh_fcntl(fd, F_DUPFD_CLOEXEC, 500);
    if (high >= 0) {
      mh_close(fd);
      fd = high;
    }
    return fd;
  }
  mh_log("off: cannot make a store at ", path, ": no folder, no permission, or something else is there");
  return -1;
}

void mh_claim_done(int fd) {
  struct flock lock;
  mark(fd, F_OFD_SETLK, &lock);
  mh_flock(fd, LOCK_UN);
}
