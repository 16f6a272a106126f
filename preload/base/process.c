/* Who this process is; see process.h. Everything comes from /proc, and anything may be missing there. */
#include "process.h"

#include <errno.h>

#include "sys.h"
#include "text.h"

struct mh_process mh_process;

/* "pid (any text) S ppid … threads … starttime …"; the text, the program's name, may hold parentheses. */
bool mh_process_stat_parse(const char *text, struct mh_process_stat *stat) {
  enum { PARENT = 4, THREADS = 20, START = 22 };
  const char *at = NULL;
  for (const char *c = text; *c; c++)
    if (*c == ')') at = c;
  if (!at || at[1] != ' ' || !at[2] || at[3] != ' ') return false;
  stat->state = at[2];
  at += 4;
  uint64_t value = 0;
  for (int field = PARENT; field <= START; field++) {
    if (*at == '-') at++;
    if (!mh_parse_number(&at, &value)) return false;
    if (field == PARENT) stat->parent_pid = (uint32_t)value;
    if (field == THREADS) stat->threads = (uint32_t)value;
    if (*at == ' ') at++;
  }
  stat->start = value;
  return true;
}

static bool read_stat(const char *name, struct mh_process_stat *stat) {
  MH_TEXT(path, 64);
  mh_text_add(&path, "/proc/");
  mh_text_add(&path, name);
  mh_text_add(&path, "/stat");
  char text[1024];
  if (mh_read_file(path.data, text, sizeof(text)) <= 0 || !mh_process_stat_parse(text, stat)) return false;
  stat->start -= (uint64_t)(mh_process.boottime_offset / MH_TICK_NANOSECONDS);
  return true;
}

bool mh_process_stat_read(uint32_t pid, struct mh_process_stat *stat) {
  MH_TEXT(name, 24);
  mh_text_add_number(&name, pid);
  return read_stat(name.data, stat);
}

bool mh_process_stat_lives(const struct mh_process_stat *stat, uint64_t start) {
  /* A zombie has ended and waits for its parent; unless it is a main thread that ended before the others. */
  if ((stat->state == 'Z' || stat->state == 'X') && stat->threads <= 1) return false;
  return start == 0 || stat->start == start;
}

static void read_boot_id(uint8_t id[16]) {
  char text[64];
  if (mh_read_file("/proc/sys/kernel/random/boot_id", text, sizeof(text)) < 36) return;
  unsigned nibble = 0;
  for (const char *at = text; *at && nibble < 32; at++) {
    char digit[2] = {*at, 0};
    const char *cursor = digit;
    uint64_t value;
    if (!mh_parse_hex(&cursor, &value)) continue;
    id[nibble / 2] = (uint8_t)(id[nibble / 2] | value << (nibble % 2 ? 0 : 4));
    nibble++;
  }
}

/* "monotonic 500 0": seconds, which may be negative, and nanoseconds. 0 where there are no time namespaces. */
static int64_t time_offset(const char *text, const char *clock) {
  while (*text && !mh_starts(text, clock)) text++;
  while (*text && *text != '-' && (*text < '0' || *text > '9')) text++;
  bool negative = *text == '-';
  if (negative) text++;
  uint64_t seconds, nanoseconds;
  if (!mh_parse_number(&text, &seconds)) return 0;
  while (*text == ' ' || *text == '\t') text++;
  if (!mh_parse_number(&text, &nanoseconds)) return 0;
  return (negative ? -(int64_t)seconds : (int64_t)seconds) * 1000000000 + (int64_t)nanoseconds;
}

static void read_time_offsets(void) {
  char text[256] = "";
  mh_read_file("/proc/self/timens_offsets", text, sizeof(text));
  mh_process.monotonic_offset = time_offset(text, "monotonic");
  mh_process.boottime_offset = time_offset(text, "boottime");
}

/* Called once: a program keeps the name that it began with. By the time of a fork, a newer file may be at the path. */
static void identify_program(void) {
  long length = mh_readlink("/proc/self/exe", mh_process.exe, sizeof(mh_process.exe) - 1);
  mh_process.exe_length = length > 0 ? (size_t)length : 0;
  mh_process.exe[mh_process.exe_length] = 0;
}

static void identify(bool forked) {
  mh_process.pid = (uint32_t)mh_getpid();
  mh_process.forked = forked;
  read_time_offsets();
  struct mh_process_stat stat = {0};
  /* Read from the first thread, whose start is the process's. An emulator may answer for /proc/self/stat itself, with
   * another start. Then every other process would take this one for dead. */
  MH_TEXT(first_thread, 48);
  mh_text_add(&first_thread, "self/task/");
  mh_text_add_number(&first_thread, mh_process.pid);
  bool known = read_stat(first_thread.data, &stat);
  mh_process.parent_pid = known ? stat.parent_pid : (uint32_t)mh_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
  mh_process.start = known ? stat.start : 0;
  read_boot_id(mh_process.boot_id);
  char link[64] = "";
  long length = mh_readlink("/proc/self/ns/pid", link, sizeof(link) - 1);
  const char *cursor = link + 5;
  if (length > 5 && mh_starts(link, "pid:[") && !mh_parse_number(&cursor, &mh_process.pid_namespace))
    mh_process.pid_namespace = 0;
}

void mh_process_start(void) {
  identify_program();
  identify(false);
}

void mh_process_child(void) {
  identify(true);
}

const char *mh_process_name(void) {
  const char *name = mh_process.exe;
  for (const char *at = name; *at; at++)
    if (*at == '/' && at[1]) name = at + 1;
  return *name ? name : "program";
}

size_t mh_process_command(char *buffer, size_t bytes) {
  long length = mh_read_file("/proc/self/cmdline", buffer, bytes);
  return length > 0 ? (size_t)length : 0;
}

bool mh_process_lives(uint32_t pid, uint64_t start) {
  struct mh_process_stat stat;
  if (mh_process_stat_read(pid, &stat)) return mh_process_stat_lives(&stat, start);
  return mh_kill((int)pid, 0) != -ESRCH && mh_process.start == 0;
}
