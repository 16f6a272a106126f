/* The store: the mapped file that holds everything that memhook knows about this process. This file makes it and grows
 * its arrays; format.h describes its contents.
 *
 * No page is touched that has no backing. Growth first asks the file system for the bytes (by writing zeros), then for
 * the memory (populate). So a full disk is an error that is returned, and never a SIGBUS.
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

/* The counts of published elements, in private memory. In a child of fork these are the counts at the fork. */
extern uint32_t mh_store_published[MH_KIND_COUNT];

/* Makes sure that `kind` has backing for at least `count` elements. False: the store is full. Takes no lock if there is
 * enough backing, else the growth lock. It grows ahead of need, so that other threads seldom have to wait. */
bool mh_store_reserve(uint32_t kind, uint32_t count);

/* Publishes the elements below `count`, in the store and in mh_store_published. False: in a child of fork that has not
 * begun, nothing is kept. */
bool mh_store_publish(uint32_t kind, uint32_t count);

/* Appends bytes to the strings array and returns their offset, 0 if there is no room. The caller serialises. */
uint32_t mh_store_add_string(const void *bytes, uint32_t length);

/* Makes sure that `bytes` of the header block from `offset` on have backing. */
bool mh_store_back_header(uint32_t offset, uint32_t bytes);

/* Notes whether the program's calls of malloc bypass memhook, in this store and in those of children of fork. */
void mh_store_bypassed(bool bypassed);

/* Counts an allocation that could not be recorded. */
void mh_store_drop(uint64_t bytes);
