/* Whether this process may descend from a dead one. Then the dead one's store is not an old run's, which may be
 * replaced. It is from the same family of processes, which all have one path. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "format.h"

/* An ancestor lived when its child was made, and so on. So the dead process counts as an ancestor if it lived
 *
 *   - when this process was made,
 *   - or when one of this process's ancestors was made that memhook watches, too,
 *   - or when the process, gone by now, was made that began this one's process group or session.
 *
 * If the time of its end is unknown (killed; replaced by exec), only the second case counts: otherwise the first start
 * after each kill would not be at its path. One case is not found: an ancestor of an ancestor that was gone when this
 * process was made, and left it no process group or session. */
bool mh_family_may_include(const struct mh_header *dead);

/* The newest process id of the machine now, to be noted at the end; 0 unknown. */
uint32_t mh_family_newest_pid(void);
