/* Messages; see log.h. */
#include "log.h"

#include "sys.h"

static enum mh_log_target log_target;
static const char *log_path;

void mh_log_open(enum mh_log_target target, const char *path) {
  log_target = target;
  log_path = path;
}

static void write_line(int fd, const char *first, const char *second, const char *third) {
  MH_TEXT(line, 1024);
  mh_text_add(&line, "memhook: ");
  mh_text_add(&line, first);
  mh_text_add(&line, second);
  mh_text_add(&line, third);
  if (line.length + 1 >= line.capacity) line.length = line.capacity - 2;
  line.data[line.length++] = '\n';
  mh_write(fd, line.data, line.length);
}

void mh_log(const char *first, const char *second, const char *third) {
  if (log_target == MH_LOG_STDERR) {
    write_line(2, first, second, third);
  } else if (log_target == MH_LOG_FILE) {
    /* Opened for each line: messages are rare, and a kept descriptor is one more that the program may close. */
    int fd = mh_open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return;
    write_line(fd, first, second, third);
    mh_close(fd);
  }
}

void mh_complain(const char *line) {
  write_line(2, line, "", "");
}
