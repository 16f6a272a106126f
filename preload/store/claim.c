/* Claiming a path; see claim.h.
 *
 * flock on the file decides between two processes that start at once. The one that has the lock may read the header and
 * replace the file. The other one treats the file as a living process's. The lock is held only until the header is
 * written: then the header tells who the owner is. In another pid namespace the owner's pid is another process's. There
 * a lock on the file's first byte, which the owner keeps, tells that the owner lives.
 *
 * Paths and headers are static: only the thread that starts memhook comes here, and its stack may be small.
 */
#include "claim.h"

#include <errno.h>
#include <sys/file.h>
#include <unistd.h>

#include "family.h"
#include "layout.h"
#include "../base/log.h"
#include "../base/process.h"
#include "../base/settings.h"
#include "format.h"
#include "../base/sys.h"
#include "../base/text.h"

/* TAKEN: somebody else's, so this process tries the next name. REFUSED: the file is this user's own and no store, or no
 * file can be made there. */
enum verdict { MINE, TAKEN, REFUSED, AGAIN };

/* The name as it was given, with %p and %e replaced behind its first `literal` bytes. */
static void add_pattern(struct mh_text *text, const char *pattern, size_t literal) {
  mh_text_add_bytes(text, pattern, literal);
  for (const char *at = pattern + literal; *at; at++) {
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

/* The names in the order in which they are tried, by `number`: "a/b.ext", "a/b.PID.ext", "a/b.PID.2.ext" …; without an
 * extension "a/b", "a/b.PID" …. Equal process ids, of different containers, come apart by the last number.
 * runtime/stores/storenames.ts has the same names. */
static void add_name(struct mh_text *text, const char *path, unsigned number) {
  const char *dot = NULL, *name = path;
  for (const char *at = path; *at; at++) {
    if (*at == '/') name = at + 1, dot = NULL;
    if (*at == '.' && at > name) dot = at;
  }
  size_t stem = dot ? (size_t)(dot - path) : mh_length(path);
  text->length = 0;
  mh_text_add_bytes(text, path, stem);
  if (number >= 1) {
    mh_text_add(text, ".");
    mh_text_add_number(text, mh_process.pid);
  }
  if (number >= 2) {
    mh_text_add(text, ".");
    mh_text_add_number(text, number);
  }
  mh_text_add(text, path + stem);
}

/* The owner's mark: an open file description lock. It ends with the process, or when the program closes the
 * descriptor. */
#ifndef F_OFD_GETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif
static int mark(int fd, int command, struct flock *lock) {
  *lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
  return mh_fcntl(fd, command, (long)lock);
}

/* A kernel without such locks cannot tell: better one store too many than a living process's store replaced. */
static bool is_marked(int fd) {
  struct flock lock;
  return mark(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type != F_UNLCK;
}

/* Whether a header is from another boot of the machine. An unknown boot id is taken for this boot's. */
static bool is_of_another_boot(const struct mh_header *header) {
  static const uint8_t unknown[16];
  return __builtin_memcmp(header->boot_id, unknown, 16) != 0 &&
         __builtin_memcmp(header->boot_id, mh_process.boot_id, 16) != 0;
}

static bool is_in_another_namespace(const struct mh_header *header) {
  return header->pid_namespace && mh_process.pid_namespace && header->pid_namespace != mh_process.pid_namespace;
}

/* Whether it is of this very process, before an exec. */
static bool is_own(const struct mh_header *header) {
  return !is_of_another_boot(header) && !is_in_another_namespace(header) && header->pid == mh_process.pid &&
         header->process_start == mh_process.start;
}

/* Whether the process that wrote this header may still be using the file. */
static bool owner_lives(int fd, const struct mh_header *header) {
  if (is_of_another_boot(header) || is_own(header)) return false;
  /* In another pid namespace (a container with the same folder) the number says nothing; the owner's mark does. */
  if (is_in_another_namespace(header)) return is_marked(fd);
  return mh_process_lives(header->pid, header->process_start);
}

static bool is_store(const struct mh_header *header) {
  return header->magic[0] == MH_STORE_MAGIC_LOW && header->magic[1] == MH_STORE_MAGIC_HIGH;
}

static bool read_header(int fd, struct mh_header *header) {
  return mh_pread(fd, header, sizeof(*header), 0) == sizeof(*header);
}

static char wanted[4096]; /* the path of the first name */

/* Whether a store of this very process is at one of the names after `number`, up to the first name without a file. */
static bool has_own_behind(unsigned number) {
  static struct mh_header header;
  static char data[sizeof(wanted)];
  struct mh_text path = {.data = data, .capacity = sizeof(data)};
  bool own = false;
  while (!own && ++number < MH_STORE_NAMES) {
    struct stat status;
    add_name(&path, wanted, number);
    int fd = mh_open(path.data, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd == -ENOENT) break;
    if (fd < 0) continue;
    own = mh_fstat(fd, &status) == 0 && status.st_uid == mh_geteuid() && read_header(fd, &header) &&
          is_store(&header) && is_own(&header);
    mh_close(fd);
  }
  return own;
}

/* Whether a dead owner's store, at the name with this number, may be replaced. One with this process's pid is from a
 * run that has ended: an ancestor has another pid. */
static bool is_old(const struct mh_header *header, unsigned number) {
  if (is_of_another_boot(header) || (header->pid == mh_process.pid && !has_own_behind(number))) return true;
  return !mh_process.forked && !mh_family_may_include(header) && !has_own_behind(number);
}

/* Nobody else can open the file, now or before: neither by its permissions nor by another name. */
static bool is_private(const struct stat *status) {
  return status->st_nlink == 1 && (status->st_mode & 077) == 0;
}

static enum verdict remove_old(const char *path) {
  return mh_unlink(path) < 0 ? TAKEN : AGAIN;
}

/* Looks at the file behind `fd`, whose lock is held. `made`: by this process, just now. */
static enum verdict judge(int fd, const char *path, bool made, unsigned number) {
  struct stat opened, named;
  if (mh_fstat(fd, &opened) < 0) return REFUSED;
  if (!made && opened.st_uid != mh_geteuid()) return TAKEN;
  if (!S_ISREG(opened.st_mode)) return REFUSED;
  if (mh_stat(path, &named) < 0 || named.st_ino != opened.st_ino || named.st_dev != opened.st_dev) return AGAIN;
  if (opened.st_size == 0) return made || is_private(&opened) ? MINE : remove_old(path);
  static struct mh_header header;
  if (!read_header(fd, &header)) return REFUSED;
  bool complete = is_store(&header);
  if (!complete && (header.magic[0] || header.magic[1] || header.version_major != MH_STORE_VERSION_MAJOR))
    return REFUSED;
  if (complete && (owner_lives(fd, &header) || !is_old(&header, number))) return TAKEN;
  /* An old run's store, or one whose maker died before it was complete. A viewer that has it open can still read it. */
  return remove_old(path);
}

/* A file that may not be opened: another user's, or a store of this user that the program may no longer write to. */
static enum verdict judge_closed(const char *path, int error) {
  struct stat named;
  if (mh_stat(path, &named) < 0) return REFUSED;
  return named.st_uid != mh_geteuid() || (error == -EACCES && S_ISREG(named.st_mode)) ? TAKEN : REFUSED;
}

/* Makes the file, and never opens one that is already there: nobody can put a file of his own in its place. */
static int make_file(const char *path) {
  int fd = mh_open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat status;
  /* The program's umask may forbid even its owner to open it again. */
  if (fd >= 0 && mh_fstat(fd, &status) == 0 && (status.st_mode & 0777) != 0600) mh_fchmod(fd, 0600);
  return fd;
}

static enum verdict try_path(const char *path, unsigned number, int *fd) {
  for (int turn = 0; turn < 8; turn++) {
    *fd = mh_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0);
    bool made = *fd == -ENOENT;
    if (made) *fd = make_file(path);
    if (*fd == -EEXIST) continue;
    if (*fd < 0) return judge_closed(path, *fd);
    enum verdict verdict = mh_flock(*fd, LOCK_EX | LOCK_NB) < 0 ? TAKEN : judge(*fd, path, made, number);
    if (verdict == MINE) return MINE;
    mh_close(*fd);
    if (verdict != AGAIN) return verdict;
  }
  return TAKEN;
}

int mh_claim(char *path, unsigned path_bytes) {
  struct mh_text first = {.data = wanted, .capacity = sizeof(wanted)}, name = {.data = path, .capacity = path_bytes};
  if (mh_settings.file) {
    add_pattern(&first, mh_settings.file, mh_settings.file_folder);
  } else {
    mh_text_add(&first, "/dev/shm/");
    mh_text_add(&first, mh_settings.shm_name);
  }
  int fd = -1;
  enum verdict verdict = TAKEN;
  for (unsigned number = 0; verdict == TAKEN && number < MH_STORE_NAMES; number++) {
    add_name(&name, wanted, number);
    verdict = first.cut || name.cut ? REFUSED : try_path(path, number, &fd);
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
  if (verdict == TAKEN)
    mh_log("off: cannot make a store at ", wanted, ": it and all names beside it are taken");
  else
    mh_log("off: cannot make a store at ", path, ": no folder, no permission, or something else is there");
  return -1;
}

void mh_claim_done(int fd) {
  struct flock lock;
  mark(fd, F_OFD_SETLK, &lock);
  mh_flock(fd, LOCK_UN);
}
