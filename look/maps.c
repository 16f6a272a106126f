/* The mappings, from /proc/PID/maps, or from smaps, which has more flags and is slower. */
#include "look.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "55d0c0de1000-55d0c0de2000 rw-p 00001000 fe:01 1234   /usr/bin/app" */
static bool parse(struct mapping *mapping, char *line) {
  unsigned long start, end, offset, inode;
  unsigned major, minor;
  char access[5];
  int path = 0;
  const char *form = "%lx-%lx %4s %lx %x:%x %lu %n";
  if (sscanf(line, form, &start, &end, access, &offset, &major, &minor, &inode, &path) < 7) return false;
  uint32_t flags = access[0] == 'r' ? MH_MAPPING_READABLE : 0;
  if (access[1] == 'w') flags |= MH_MAPPING_WRITABLE;
  if (access[2] == 'x') flags |= MH_MAPPING_EXECUTABLE;
  if (access[3] == 's') flags |= MH_MAPPING_SHARED;
  *mapping = (struct mapping){start, end, offset, (uint64_t)major << 32 | minor, inode, flags, line + path};
  return true;
}

/* "VmFlags: rd wr mr mw me ac dc" */
static uint32_t further(const char *flags) {
  uint32_t found = 0;
  if (strstr(flags, " io") || strstr(flags, " pf")) found |= MH_MAPPING_DEVICE_MEMORY;
  if (strstr(flags, " dc") || strstr(flags, " wf")) found |= MH_MAPPING_NOT_FORKED;
  if (strstr(flags, " nr")) found |= MH_MAPPING_UNRESERVED;
  return found;
}

bool maps_read(struct maps *maps, pid_t pid, bool whole) {
  /* The paths point into the text, which is never freed: a look reads few of these files. */
  char *text = proc_text("/proc/%d/%s", pid, whole ? "smaps" : "maps"), *rest = text;
  size_t room = 0;
  *maps = (struct maps){0};
  if (!text) return false;
  for (char *line; (line = strsep(&rest, "\n"));) {
    struct mapping mapping;
    if (maps->count && strncmp(line, "VmFlags:", 8) == 0) maps->all[maps->count - 1].flags |= further(line + 8);
    if (!((line[0] >= '0' && line[0] <= '9') || (line[0] >= 'a' && line[0] <= 'f')) || !parse(&mapping, line)) continue;
    if (maps->count == room) {
      struct mapping *larger = realloc(maps->all, (room = room ? room * 2 : 256) * sizeof *larger);
      if (!larger) return false;
      maps->all = larger;
    }
    maps->all[maps->count++] = mapping;
  }
  return maps->count > 0;
}

const struct mapping *maps_at(const struct maps *maps, uint64_t address) {
  size_t low = 0, high = maps->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (maps->all[middle].end <= address) low = middle + 1;
    else high = middle;
  }
  return low < maps->count && maps->all[low].start <= address ? &maps->all[low] : NULL;
}

void maps_say(const struct maps *maps) {
  for (size_t i = 0; i < maps->count; i++) {
    const struct mapping *its = &maps->all[i];
    const uint64_t words[6] = {its->start, its->end, its->offset, its->device, its->inode, its->flags};
    say(MH_LOOK_MAPPING, (struct part[]){{words, sizeof words}, {its->path, strlen(its->path)}}, 2);
  }
}

_Static_assert(MH_MAPPING_FLAGS == 40 && MH_MAPPING_PATH == 48, "as maps_say() has it");
