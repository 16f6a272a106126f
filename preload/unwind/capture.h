/* Call stack capture: the border between the hooks and whichever unwinder is in use.
 *
 * A hook hands over where the program called it from; the unwinder steps outwards from there and returns
 * the interned stack. Few functions, so that an unwinder can be replaced.
 *
 * Laws: no allocation, no lock held while stepping, errno unchanged, safe in a signal handler.
 */
#pragma once
#include <stdint.h>

#include "entry.h"

struct mh_thread;

/* Called once, before the first capture. */
void mh_capture_start(void);

/* Captures the stack that starts at `entry` and returns its id in the stacks array, 0 if it could not be
 * kept. `thread` is the calling thread's state, with the guard held. */
uint32_t mh_capture(struct mh_thread *thread, const struct mh_entry *entry);
