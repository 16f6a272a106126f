/* Why a process cannot be looked at, or not by a snapshot. */
#include "look.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Noreturn void refuse_trace(pid_t pid, int error) {
  char path[64];
  struct stat folder;
  char *status = proc_text("/proc/%d/status", pid), *yama = proc_text("/proc/sys/kernel/yama/ptrace_scope");
  uint64_t tracer = proc_number(status, "TracerPid", 10, 0), owner = proc_number(status, "Uid", 10, 0);
  int scope = yama ? atoi(yama) : 0;
  snprintf(path, sizeof path, "/proc/%d", pid);
  if (!status) refuse("has ended");
  if (tracer) refuse("is traced by process %d already, and a process has one tracer; end that one first", (int)tracer);
  if (geteuid() != 0 && owner != geteuid())
    refuse("belongs to another user (%d); look as that user, or as root", (int)owner);
  if (geteuid() != 0 && stat(path, &folder) == 0 && folder.st_uid != geteuid())
    refuse("has made itself not dumpable, as programs with secrets or privileges do; look as root");
  if (scope == 3) refuse("cannot be traced by anybody on this machine (kernel.yama.ptrace_scope is 3)");
  if (scope > 0 && geteuid() != 0)
    refuse("may be traced by its parents alone here (kernel.yama.ptrace_scope is %d); look as root", scope);
  if (error == EPERM)
    refuse("may not be traced from here; in a container that takes the capability SYS_PTRACE");
  refuse("cannot be traced (%s)", strerror(error));
}

/* The number in a control group's file; UINT64_MAX for "max", or if there is none. */
static uint64_t group_number(const char *group, const char *file) {
  char *text = proc_text("/sys/fs/cgroup%s/%s", group, file);
  uint64_t number = text && text[0] >= '0' && text[0] <= '9' ? strtoull(text, NULL, 10) : UINT64_MAX;
  free(text);
  return number;
}

bool memory_short(pid_t pid, uint64_t resident) {
  /* What the process changes while it is looked at, it has twice. A quarter of it is much for a second. */
  uint64_t wanted = resident / 4 + (UINT64_C(64) << 20);
  char *machine = proc_text("/proc/meminfo");
  uint64_t available = proc_number(machine, "MemAvailable", 10, UINT64_MAX / 1024) * 1024;
  free(machine);
  if (available < wanted) return true;
  char *groups = proc_text("/proc/%d/cgroup", pid), *group = groups ? strstr(groups, "0::/") : NULL;
  bool is_short = false;
  if (group) {
    group[strcspn(group, "\n")] = 0;
    uint64_t most = group_number(group + 3, "memory.max"), used = group_number(group + 3, "memory.current");
    is_short = most != UINT64_MAX && used != UINT64_MAX && (most < used || most - used < wanted);
  }
  free(groups);
  return is_short;
}
