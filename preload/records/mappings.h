/* Mappings: anonymous memory that the program mapped with mmap. Unlike heap blocks, a mapping can be unmapped in parts:
 * it is split. index/intervals.h has their addresses, and the store a record for each.
 *
 * Addresses that were mapped without any access (PROT_NONE) are no memory: they have no pages. They are a reservation.
 * Where mprotect makes a part of it accessible, that part becomes a mapping. Where it takes the access away, the part
 * is reserved again. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../unwind/capture.h"

/* The mappings that a call is about to unmap, wholly or in part, as they were. They are put back if the call fails. */
#define MH_SPLIT_PIECES 32
struct mh_split {
  uint32_t count;
  uint32_t missed; /* pieces for which there was no room: they are lost when the call fails */
  uint64_t missed_bytes;
  struct mh_mapping_piece {
    uintptr_t start;
    uint64_t size, time;
    uint32_t thread, stack;
    bool reserved; /* then it has neither time nor thread */
  } pieces[MH_SPLIT_PIECES];
};

/* Records a mapping of `size` bytes; a reservation where it is not `accessible`. */
void mh_mapping_add(uintptr_t start, uint64_t size, bool accessible, const struct mh_entry *entry);

/* Whether a change of protection may concern any mapping or reservation; and that there was one. */
bool mh_mapping_concerns(bool accessible);
void mh_mapping_protected(uintptr_t start, uint64_t size, bool accessible);

/* Removes [start, start + size) from all mappings and reservations that it touches, before the kernel does; and puts
 * back what `split` has. */
void mh_mapping_split(uintptr_t start, uint64_t size, struct mh_split *split);
void mh_mapping_restore(const struct mh_split *split);

/* The record slot of the mapping that starts at `start` and has `size` bytes (to whole pages), 0 if there is none. */
uint32_t mh_mapping_peek(uintptr_t start, uint64_t size);
