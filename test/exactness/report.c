/* What is counted, and the first differences in words. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../preload/base/sys.h"
#include "../../preload/stacks/modules.h"
#include "exactness.h"

static struct counts fallback_counts;
struct counts *counts = &fallback_counts;
static int differences = -1;
static int counts_pid;

void say(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof line) length = sizeof line;
  if (differences >= 0 && length > 0) mh_write(differences, line, (size_t)length);
}

void report_open(void) {
  const char *folder = getenv("EXACTNESS_DIR");
  char path[512];
  counts_pid = mh_getpid();
  if (!folder) return;
  snprintf(path, sizeof path, "%s/%d.counts", folder, counts_pid);
  int fd = mh_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd >= 0 && mh_fallocate(fd, 0, 4096) == 0) {
    struct counts *mapped = mh_map(4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped) counts = mapped;
  }
  mh_close(fd);
  snprintf(path, sizeof path, "%s/%d.differences", folder, counts_pid);
  differences = mh_open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0644);
}

bool report_is_own(void) {
  return counts_pid == mh_getpid();
}

void say_stack(const char *title, const struct frame *frames, unsigned count) {
  say("  %s:\n", title);
  for (unsigned i = 0; i < count && i < 80; i++) {
    const struct mh_module *m = module_find(frames[i].pc);
    if (m)
      say("    %2u %s+0x%lx", i, module_name(m), (unsigned long)(frames[i].pc - m->bias));
    else
      say("    %2u 0x%lx", i, (unsigned long)frames[i].pc);
    say("%s%s\n", frames[i].exact ? " (exact)" : "", frames[i].lost ? " (callers lost)" : "");
  }
}
