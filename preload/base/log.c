/* Messages; see log.h. */
#include "log.h"

#include <errno.h>
#include <signal.h>

#include "sys.h"

static enum mh_log_target log_target;
static const char *log_path;

void mh_log_open(enum mh_log_target target, const char *path) {
  log_target = target;
  log_path = path;
}

/* Writes without SIGPIPE: a log that nobody reads any more is not the program's business. The signal is sent to the
 * thread that wrote. So it is blocked, and removed if the write made it pending. */
static void write_quietly(int fd, const char *bytes, size_t length) {
  const uint64_t pipe_signal = (uint64_t)1 << (SIGPIPE - 1);
  const struct timespec at_once = {0};
  uint64_t before, pending = 0;
  mh_syscall(SYS_rt_sigprocmask, SIG_BLOCK, (long)&pipe_signal, (long)&before, sizeof(before), 0, 0);
  mh_syscall(SYS_rt_sigpending, (long)&pending, sizeof(pending), 0, 0, 0, 0);
  if (mh_write(fd, bytes, length) == -EPIPE && !(pending & pipe_signal))
    mh_syscall(SYS_rt_sigtimedwait, (long)&pipe_signal, 0, (long)&at_once, sizeof(pipe_signal), 0, 0);
  mh_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&before, 0, sizeof(before), 0, 0);
}

static void write_line(int fd, const char *first, const char *second, const char *third) {
  MH_TEXT(line, 1024);
  mh_text_add(&line, "memhook: ");
  /* Values of the environment, paths, and what memdb says: they may hold anything. */
  mh_text_add_printable(&line, first);
  mh_text_add_printable(&line, second);
  mh_text_add_printable(&line, third);
  if (line.length + 1 >= line.capacity) line.length = line.capacity - 2;
  line.data[line.length++] = '\n';
  write_quietly(fd, line.data, line.length);
}

/* In a folder that others can write to, somebody may have put a file or a pipe of his own at the log's path, to read
 * the log; or a link, to have another file written to. Nobody can put a terminal or another device there. */
static bool is_safe(int fd) {
  struct stat status;
  if (mh_fstat(fd, &status) < 0) return false;
  if (S_ISCHR(status.st_mode)) return true;
  return (status.st_uid == mh_geteuid() || status.st_uid == 0) && (!S_ISREG(status.st_mode) || status.st_nlink == 1);
}

/* The log is opened for each line: messages are rare, and the program might close a descriptor that is kept. It is
 * opened without waiting: it may be a pipe that nobody reads. */
static int open_file(void) {
  enum { HOW = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK };
  int fd = mh_open(log_path, HOW, 0);
  if (fd == -ENOENT) fd = mh_open(log_path, HOW | O_CREAT | O_EXCL, 0600);
  if (fd == -EEXIST) fd = mh_open(log_path, HOW, 0); /* another process has just made it */
  if (fd < 0 || is_safe(fd)) return fd;
  mh_close(fd);
  return -1;
}

void mh_log(const char *first, const char *second, const char *third) {
  if (log_target == MH_LOG_STDERR) {
    write_line(2, first, second, third);
  } else if (log_target == MH_LOG_FILE) {
    int fd = open_file();
    if (fd < 0) return;
    write_line(fd, first, second, third);
    mh_close(fd);
  }
}

void mh_complain(const char *line) {
  write_line(2, line, "", "");
}
