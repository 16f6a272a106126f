/* Walking a stack: from frame to frame by unwind rules, or in frame-pointer mode by frame pointers alone. Only stacks
 * that the stack cache does not know are walked (stack_cache.h). The walk then updates the cache.
 */
#pragma once
#include <stdint.h>

#include "entry.h"
#include "stack_cache_data.h"

struct mh_thread;

/* Called once, before the first walk. */
void mh_walk_start(void);

/* Each walks the stack at `entry`, which mh_stack_cache_lookup does not know, and returns its id, 0 if it could not be
 * kept. `cache` is the calling thread's. All walks of a process use the same one of the two. */
uint32_t mh_walk_dwarf(struct mh_thread *thread, struct mh_stack_cache *cache, const struct mh_entry *entry);
uint32_t mh_walk_fp(struct mh_stack_cache *cache, const struct mh_entry *entry);

/* To be called after every change of mh_generation. */
void mh_capture_dwarf_modules_changed(void);
