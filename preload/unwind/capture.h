/* Call stack capture: the interface between the hooks and the unwinders.
 *
 * A hook passes its entry, from where the program called it. The unwinder steps outwards from there and returns the
 * interned stack. There are few functions, so that an unwinder can be replaced.
 *
 * Laws: no allocation, no lock held while stepping, errno unchanged, safe in a signal handler.
 */
#pragma once
#include <stdint.h>

#include "entry.h"

struct mh_thread;

/* Called once, before the first capture. */
void mh_capture_start(void);

/* Captures the stack that begins at `entry`, and returns its id in the stacks array, 0 if it could not be kept.
 * `thread` is the calling thread's state. The guard is raised. */
uint32_t mh_capture(struct mh_thread *thread, const struct mh_entry *entry);
