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

/* Writes without SIGPIPE: a reader that has gone away is not the program's business. The signal comes to the thread that wrote, so
 * it waits there until it is taken away; one that was pending before stays. */
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
  mh_text_add(&line, first);
  mh_text_add(&line, second);
  mh_text_add(&line, third);
  if (line.length + 1 >= line.capacity) line.length = line.capacity - 2;
  line.data[line.length++] = '\n';
  write_quietly(fd, line.data, line.length);
}

void mh_log(const char *first, const char *second, const char *third) {
  if (log_target == MH_LOG_STDERR) {
    write_line(2, first, second, third);
  } else if (log_target == MH_LOG_FILE) {
    /* Opened for each line: messages are rare, and a kept descriptor is one more that the program may close.
     * Without waiting: it may be a pipe that nobody reads. */
    int fd = mh_open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0) return;
    write_line(fd, first, second, third);
    mh_close(fd);
  }
}

void mh_complain(const char *line) {
  write_line(2, line, "", "");
}
