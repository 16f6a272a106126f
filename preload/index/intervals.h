/* The interval table: which addresses the program has mapped. Mappings have access, reservations have none. Each kind
 * is a sorted array; both have one lock.
 *
 * A mapping's number is its record's slot. A reservation's number is the stack that mapped it. records/mappings.c
 * changes the table. The unwinder asks it how far the memory around a stack reaches.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "ranges.h"

extern struct mh_ranges mh_mappings, mh_reservations;

/* Acquires the lock of both. If a change was interrupted for good, they are repaired first: ranges that are in order
 * and have their record are kept, lost ones are counted as dropped. False: the lock was not free in time. */
bool mh_intervals_lock(void);
void mh_intervals_unlock(void);

/* Adds to what is reserved. The lock is held. */
void mh_intervals_count_reserved(int64_t bytes);

/* How often the mappings have changed. mh_intervals_changing is called before each change, with the lock held. */
extern uint32_t mh_intervals_changes;
static inline void mh_intervals_changing(void) {
  MH_SET(mh_intervals_changes, mh_intervals_changes + 1);
}

/* The mapping around `address`, or the gap between two mappings: [*low, *high). False: it is a gap; or another thread
 * has the lock, and the range is empty. For memory that the calling thread runs on, which nobody unmaps meanwhile, the
 * answer is valid until mh_intervals_changes changes. */
bool mh_intervals_around(uintptr_t address, uintptr_t *low, uintptr_t *high);

/* The record slot of the mapping [start, end), 0 if there is none. For a child of fork that has one thread. */
uint32_t mh_intervals_peek(uintptr_t start, uintptr_t end);

/* In a child of fork that continues its parent's mappings: the lock is free; and mappings without a record are
 * dropped. */
void mh_intervals_clone(void);
void mh_intervals_drop_missing(void);
void mh_intervals_reset(void);
