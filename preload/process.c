/* Who this process is; see process.h. Everything comes from /proc, and everything may be missing there. */
#include "process.h"

#include <errno.h>

#include "sys.h"
#include "text.h"

struct mh_process mh_process;

/* Parent, start and state from /proc/NAME/stat: "pid (any text) S ppid … starttime …"; the name may hold parentheses. */
static bool read_stat(const char *name, uint32_t *parent, uint64_t *start, char *state) {
  MH_TEXT(path, 64);
  mh_text_add(&path, "/proc/");
  mh_text_add(&path, name);
  mh_text_add(&path, "/stat");
  char stat[1024];
  if (mh_read_file(path.data, stat, sizeof(stat)) <= 0) return false;
  const char *at = NULL;
  for (const char *c = stat; *c; c++)
    if (*c == ')') at = c;
  if (!at || at[1] != ' ' || !at[2] || at[3] != ' ') return false;
  *state = at[2];
  at += 4;
  uint64_t value = 0;
  for (int field = 4; field <= 22; field++) {
    if (*at == '-') at++;
    if (!mh_parse_number(&at, &value)) return false;
    if (field == 4) *parent = (uint32_t)value;
    if (*at == ' ') at++;
  }
  *start = value;
  return true;
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

void mh_process_identify(void) {
  mh_process = (struct mh_process){.pid = (uint32_t)mh_getpid()};
  char state;
  /* By way of the first thread, whose start is the process's: an emulator may answer for /proc/self/stat itself, with a start of its own,
   * and then every other process takes this one for dead. */
  MH_TEXT(first_thread, 48);
  mh_text_add(&first_thread, "self/task/");
  mh_text_add_number(&first_thread, mh_process.pid);
  if (!read_stat(first_thread.data, &mh_process.parent_pid, &mh_process.start, &state)) {
    mh_process.parent_pid = (uint32_t)mh_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0);
    mh_process.start = 0;
  }
  read_boot_id(mh_process.boot_id);
  char link[64] = "";
  long length = mh_readlink("/proc/self/ns/pid", link, sizeof(link) - 1);
  const char *cursor = link + 5;
  if (length > 5 && mh_starts(link, "pid:[") && !mh_parse_number(&cursor, &mh_process.pid_namespace))
    mh_process.pid_namespace = 0;
  length = mh_readlink("/proc/self/exe", mh_process.exe, sizeof(mh_process.exe) - 1);
  mh_process.exe_length = length > 0 ? (size_t)length : 0;
  mh_process.exe[mh_process.exe_length] = 0;
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
  MH_TEXT(name, 24);
  mh_text_add_number(&name, pid);
  uint32_t parent;
  uint64_t its_start;
  char state;
  if (read_stat(name.data, &parent, &its_start, &state))
    return state != 'Z' && state != 'X' && (start == 0 || its_start == start);
  return mh_kill((int)pid, 0) != -ESRCH && mh_process.start == 0;
}
