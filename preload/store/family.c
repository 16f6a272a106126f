/* Families of processes; see family.h. A process's start is known to a hundredth of a second. In that time a shell
 * starts a program and ends, or one run ends and the next begins. Process ids, which are given out in order, tell which
 * came first. */
#include "family.h"

#include "../base/clock.h"
#include "../base/maps.h"
#include "../base/process.h"
#include "../base/sys.h"
#include "../base/text.h"

#define ANCESTORS_MAX 64
#define MAPS_MAX (4u << 20) /* bytes of maps that are read in all; an unread process counts as one with memhook */
#define LEAST_MAPS 4096 /* at a time */
/* After the highest pid, which is at least 32768, pids start again at a low number. */
#define PIDS_IN_A_TICK 16384

uint32_t mh_family_newest_pid(void) {
  char text[128];
  if (mh_read_file("/proc/loadavg", text, sizeof(text)) <= 0) return 0;
  const char *last = text;
  for (const char *at = text; *at; at++)
    if (*at == ' ') last = at + 1;
  uint64_t pid;
  return mh_parse_number(&last, &pid) ? (uint32_t)pid : 0;
}

static bool end_is_known(const struct mh_header *dead) {
  return dead->end_kind == MH_END_EXIT || dead->end_kind == MH_END_IMMEDIATE_EXIT;
}

/* Of two processes made in the same tick, whether the one with this id came first. */
static bool came_first(uint32_t pid, uint32_t other) {
  return pid < other ? other - pid < PIDS_IN_A_TICK : pid - other >= PIDS_IN_A_TICK;
}

/* Whether `dead` lived when the process with this pid and start was made. */
static bool was_there(const struct mh_header *dead, uint32_t pid, uint64_t start) {
  if (!start || start < dead->process_start) return false;
  if (start == dead->process_start && dead->pid_namespace == mh_process.pid_namespace && came_first(pid, dead->pid))
    return false;
  if (!end_is_known(dead)) return true;
  /* Stores before 1.4 do not say how long the machine was suspended. */
  const struct mh_calendar *calendar = &dead->calendar;
  uint64_t suspended = mh_clock_read(CLOCK_BOOTTIME) - mh_clock_read(CLOCK_MONOTONIC);
  uint64_t began = calendar->start_boottime ? calendar->start_boottime - calendar->start_suspended + calendar->suspended
                                            : dead->start_monotonic + suspended;
  uint64_t end = began + dead->end_time, made = start * MH_TICK_NANOSECONDS;
  if (made > end) return false;
  if (made + MH_TICK_NANOSECONDS <= end) return true;
  if (dead->pid_namespace != mh_process.pid_namespace) return true;
  uint32_t newest = dead->end_newest_pid;
  return pid <= newest && newest - pid < PIDS_IN_A_TICK;
}

static bool covers(const struct mh_maps_line *place, const struct mh_maps_line *wanted) {
  return place->start <= wanted->start && wanted->start < place->end;
}

static bool is_same_file(const struct mh_maps_line *place, const struct mh_maps_line *wanted) {
  return place->inode && place->inode == wanted->inode && place->device == wanted->device;
}

static size_t maps_left;

/* The first line of a process's maps that fits. */
static bool find_place(const char *name, bool (*fits)(const struct mh_maps_line *, const struct mh_maps_line *),
                       const struct mh_maps_line *wanted, struct mh_maps_line *found) {
  MH_TEXT(path, 48);
  mh_text_add(&path, "/proc/");
  mh_text_add(&path, name);
  mh_text_add(&path, "/maps");
  int fd = mh_open(path.data, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return false;
  static char bytes[LEAST_MAPS];
  char line[128];
  size_t length = 0;
  bool fit = false;
  while (!fit && maps_left >= LEAST_MAPS) {
    long got = mh_read(fd, bytes, sizeof(bytes));
    if (got <= 0) break;
    maps_left -= (size_t)got;
    for (long i = 0; i < got && !fit; i++) {
      if (bytes[i] != '\n') {
        if (length + 1 < sizeof(line)) line[length++] = bytes[i];
        continue;
      }
      line[length] = 0;
      length = 0;
      fit = mh_maps_parse(line, found) && fits(found, wanted);
    }
  }
  mh_close(fd);
  return fit;
}

static bool is_watched(uint32_t pid) {
  const struct mh_maps_line here = {.start = (uintptr_t)is_watched};
  static struct mh_maps_line library;
  static bool known;
  struct mh_maps_line theirs;
  MH_TEXT(name, 24);
  mh_text_add_number(&name, pid);
  if (!known && !(known = find_place("self", covers, &here, &library))) return false;
  return find_place(name.data, is_same_file, &library, &theirs) || maps_left < LEAST_MAPS;
}

/* A process group or session has the pid of the process that began it, also when that process is gone. If `dead` began
 * it, or lived when it was begun, this process may have inherited it from `dead`. */
static bool is_of_its_time(const struct mh_header *dead, uint32_t leader) {
  struct mh_process_stat stat;
  if (leader <= 1 || leader == mh_process.pid || dead->pid_namespace != mh_process.pid_namespace) return false;
  if (leader == dead->pid) return true;
  if (mh_process_stat_read(leader, &stat) && mh_process_stat_lives(&stat, 0))
    return was_there(dead, leader, stat.start) && is_watched(leader);
  uint32_t newest = dead->end_newest_pid;
  if (!end_is_known(dead) || !newest) return false;
  return newest >= dead->pid ? leader > dead->pid && leader <= newest : leader > dead->pid || leader <= newest;
}

bool mh_family_may_include(const struct mh_header *dead) {
  if (!dead->process_start) return false;
  maps_left = MAPS_MAX;
  if (end_is_known(dead) && was_there(dead, mh_process.pid, mh_process.start)) return true;
  uint32_t pid = mh_process.parent_pid;
  struct mh_process_stat stat;
  for (int turn = 0; turn < ANCESTORS_MAX && pid > 1 && mh_process_stat_read(pid, &stat);
       turn++, pid = stat.parent_pid) {
    if (stat.start < dead->process_start) break;
    if (was_there(dead, pid, stat.start) && is_watched(pid)) return true;
  }
  return is_of_its_time(dead, (uint32_t)mh_syscall(SYS_getpgid, 0, 0, 0, 0, 0, 0)) ||
         is_of_its_time(dead, (uint32_t)mh_syscall(SYS_getsid, 0, 0, 0, 0, 0, 0));
}
