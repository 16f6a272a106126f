/* Files of /proc as text, and the clock. */
#include "look.h"
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

char *proc_text(const char *format, ...) {
  char path[512];
  va_list values;
  va_start(values, format);
  vsnprintf(path, sizeof path, format, values);
  va_end(values);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return NULL;
  size_t room = 1 << 16, length = 0;
  char *text = malloc(room);
  while (text) {
    ssize_t got = read(fd, text + length, room - 1 - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      free(text);
      text = NULL;
    }
    if (got <= 0) break;
    length += (size_t)got;
    if (length + 1 < room) continue;
    char *larger = realloc(text, room *= 2);
    if (!larger) free(text);
    text = larger;
  }
  close(fd);
  if (text) text[length] = 0;
  return text;
}

uint64_t proc_number(const char *text, const char *name, int base, uint64_t fallback) {
  size_t length = strlen(name);
  for (const char *line = text; line; line = strchr(line, '\n')) {
    if (*line == '\n') line++;
    if (strncmp(line, name, length) == 0 && line[length] == ':') return strtoull(line + length + 1, NULL, base);
  }
  return fallback;
}

uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}
