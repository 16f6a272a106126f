/* Frames over two pipes: memview's requests come on standard input, the answers go to standard output. */
#include "look.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Nobody reads any more. The work that was begun is finished all the same: hear() then returns 0. */
static bool alone;

static void write_all(const void *bytes, size_t count) {
  for (const char *at = bytes; count > 0 && !alone;) {
    ssize_t done = write(1, at, count);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      alone = true;
      return;
    }
    at += done;
    count -= (size_t)done;
  }
}

void say(uint32_t type, const struct part *parts, size_t count) {
  /* There are thousands of small frames: each is one write. */
  static uint8_t small[8192];
  size_t length = 0;
  for (size_t i = 0; i < count; i++) length += parts[i].count;
  uint32_t head[2] = {(uint32_t)length, type};
  if (sizeof head + length > sizeof small) {
    write_all(head, sizeof head);
    for (size_t i = 0; i < count; i++) write_all(parts[i].bytes, parts[i].count);
    return;
  }
  memcpy(small, head, sizeof head);
  size_t end = sizeof head;
  for (size_t i = 0; i < count; i++) {
    memcpy(small + end, parts[i].bytes, parts[i].count);
    end += parts[i].count;
  }
  write_all(small, end);
}

_Noreturn void refuse(const char *format, ...) {
  char text[512];
  va_list values;
  va_start(values, format);
  vsnprintf(text, sizeof text, format, values);
  va_end(values);
  say(MH_LOOK_REFUSED, &(struct part){text, strlen(text)}, 1);
  exit(2);
}

static bool read_all(void *bytes, size_t count) {
  for (char *at = bytes; count > 0;) {
    ssize_t done = read(0, at, count);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    count -= (size_t)done;
  }
  return true;
}

uint32_t hear(uint8_t payload[MH_READ_BYTES]) {
  uint32_t head[2];
  if (alone || !read_all(head, sizeof head) || head[0] > MH_READ_BYTES || !read_all(payload, head[0])) return 0;
  return head[1] == MH_LOOK_READ && head[0] != MH_READ_BYTES ? 0 : head[1];
}
