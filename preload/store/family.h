/* Whether a dead process may be one that this process descends from: then its store is no old run's, which may be
 * replaced, but what the first of a family of processes has left, and they all have one path. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "format.h"

/* An ancestor lived when its child was made, and so on. So the dead process is taken for one if it lived
 *
 *   - when this process was made,
 *   - or one of those above it that are watched by memhook, too,
 *   - or the one, gone by now, that began its process group or session.
 *
 * What is not known of its end (killed; replaced by exec) counts for those above only, or after each kill the next
 * start would not be at its path. Not found is an ancestor of an ancestor that was gone when this process was made, if
 * it has left neither. */
bool mh_family_may_include(const struct mh_header *dead);

/* The newest process id of the machine now, to be noted at the end; 0 unknown. */
uint32_t mh_family_newest_pid(void);
