/* The calendar: how relative times relate to the other clocks.
 *
 * Relative times count CLOCK_MONOTONIC (clock.h), which nobody sets, and which stands still while the machine is
 * suspended. A reader needs two more clocks. CLOCK_BOOTTIME, which goes on in a suspended machine, tells it how old
 * something is. The wall clock, which also goes on, and which people set, tells it the time of day. So when counters
 * are flushed, at most once a second, the writer reads both. It notes how long the machine has been suspended, and each
 * jump of the wall clock.
 */
#pragma once
#include <stdint.h>

#include "format.h"
#include "../base/sys.h"

extern uint64_t mh_calendar_next; /* relative time of the next look */

/* For a new store: relative times begin now. */
void mh_calendar_start(struct mh_header *header);

/* For a store that continues another one's relative times: they began at `wall` and `monotonic`, and `calendar` is the
 * other store's. */
void mh_calendar_go_on(struct mh_header *header, const struct mh_calendar *calendar, uint64_t wall, uint64_t monotonic);

void mh_calendar_turn(void);

/* `time` is now. */
static inline void mh_calendar_look(uint64_t time) {
  if (MH_UNLIKELY(time >= __atomic_load_n(&mh_calendar_next, __ATOMIC_RELAXED))) mh_calendar_turn();
}
