/* The store: the mapped file that holds everything memhook knows about this process. This part makes it and has its
 * arrays grow; what is in it is format.h's.
 *
 * Nothing is touched that has no backing: growth asks the file system for the bytes first (writes zeros) and the
 * memory second (populate), so a full disk is an answer and never a SIGBUS.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "format.h"

/* Creates the store where the settings say. False: there is none, and the log says why. */
bool mh_store_create(void);

/* In a child: forgets the parent's store. */
void mh_store_forget(void);

/* The store's descriptor, -1 if there is none. */
int mh_store_fd(void);

/* The elements published, as they are known in private memory: in a child of fork, what they were at the fork. */
extern uint32_t mh_store_published[MH_KIND_COUNT];

/* Makes sure that `kind` has backing for at least `count` elements. False when the store is full. Lock-free when it
 * has; otherwise takes the growth lock. Grows ahead of need, so that other threads seldom meet the edge. */
bool mh_store_reserve(uint32_t kind, uint32_t count);

/* Publishes elements below `count`. Keeps the count in private memory too, where a child of fork finds what it was
 * then. False: this is a child's stand-in, where nothing is kept. */
bool mh_store_publish(uint32_t kind, uint32_t count);

/* Appends bytes to the strings array and returns their offset, 0 if there is no room. The caller serialises. */
uint32_t mh_store_add_string(const void *bytes, uint32_t length);

/* Makes sure that `bytes` of the header block from `offset` on have backing. */
bool mh_store_back_header(uint32_t offset, uint32_t bytes);

/* Says whether the program's calls of malloc go past memhook, in this store and in those of children of fork. */
void mh_store_bypassed(bool bypassed);

/* Counts an allocation that could not be recorded. */
void mh_store_drop(uint64_t bytes);
