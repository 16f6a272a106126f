/* Regions: anonymous memory that the program mapped with mmap. Unlike heap blocks they are given back in parts.
 *
 * Addresses that were mapped without any access (PROT_NONE) are no memory: no page of them can be there. They are
 * reserved, and become a region, part by part, when mprotect makes them accessible; and are reserved again when it
 * takes that back. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../unwind/capture.h"

/* The regions that a call is about to unmap, wholly or in part, as they were: put back when the call fails. */
#define MH_CUT_PIECES 32
struct mh_cut {
  uint32_t count;
  uint32_t missed; /* pieces more than there is room for: lost when the call fails */
  uint64_t missed_bytes;
  struct mh_piece {
    uintptr_t start;
    uint64_t size, time;
    uint32_t thread, stack;
    bool reserved; /* then it has neither time nor thread */
  } pieces[MH_CUT_PIECES];
};

/* Records a mapping of `size` bytes. */
void mh_region_add(uintptr_t start, uint64_t size, bool accessible, const struct mh_entry *entry);

/* Whether a change of protection may be of any interest; and that there was one. */
bool mh_region_minds(bool accessible);
void mh_region_protected(uintptr_t start, uint64_t size, bool accessible);

/* Removes [start, start + size) from whatever regions it touches, before the kernel does. */
void mh_region_cut(uintptr_t start, uint64_t size, struct mh_cut *cut);
void mh_region_restore(const struct mh_cut *cut);

/* The record slot of the region that starts at `start` and has `size` bytes (to whole pages), 0 if there is none. */
uint32_t mh_region_peek(uintptr_t start, uint64_t size);
