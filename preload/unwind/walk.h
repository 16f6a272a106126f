/* Walking a stack: from frame to frame by unwind rules, or in frame-pointer mode by frame pointers alone. A walk is
 * only taken for what the stack cache does not know (stack_cache.h), and puts it there.
 */
#pragma once
#include <stdint.h>

#include "entry.h"
#include "stack_cache_data.h"

struct mh_thread;

/* Called once, before the first walk. */
void mh_walk_start(void);

/* Each walks the stack at `entry`, which mh_stack_cache_lookup does not know, and returns its id, 0 if it could not be
 * kept. `cache` is the calling thread's. One thread uses either the one or the other. */
uint32_t mh_walk_dwarf(struct mh_thread *thread, struct mh_stack_cache *cache, const struct mh_entry *entry);
uint32_t mh_walk_fp(struct mh_stack_cache *cache, const struct mh_entry *entry);

/* To be called after every change of mh_generation. */
void mh_capture_dwarf_modules_changed(void);
