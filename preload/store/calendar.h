/* The calendar: what the clocks say that relative times do not count by.
 *
 * Times are counted by CLOCK_MONOTONIC (clock.h), which nobody sets and which stands still while the machine is
 * suspended. A reader knows what time it is by CLOCK_BOOTTIME, which goes on meanwhile; and tells a time by the wall
 * clock, which is set, and goes on meanwhile as well. So once a second at most, when counters are flushed, the writer
 * looks at both, and notes how long the machine has been suspended and each jump of the wall clock.
 */
#pragma once
#include <stdint.h>

#include "format.h"
#include "../base/sys.h"

extern uint64_t mh_calendar_next; /* relative time of the next look */

/* Of a new store: where relative times begin. */
void mh_calendar_start(struct mh_header *header);

/* Of a store that goes on with another one's times, which says so: where these began by the wall clock and by
 * CLOCK_MONOTONIC. */
void mh_calendar_go_on(struct mh_header *header, const struct mh_calendar *calendar, uint64_t wall, uint64_t monotonic);

void mh_calendar_turn(void);

/* `time` is now. */
static inline void mh_calendar_look(uint64_t time) {
  if (MH_UNLIKELY(time >= __atomic_load_n(&mh_calendar_next, __ATOMIC_RELAXED))) mh_calendar_turn();
}
