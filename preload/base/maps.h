/* One line of /proc/PID/maps: a mapping. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct mh_maps_line {
  uint64_t start, end, offset, inode, device;
  bool executable;
};

/* Parses a line without its newline. Returns where the path begins, which may be "", and NULL for a damaged line. */
const char *mh_maps_parse(const char *text, struct mh_maps_line *line);
