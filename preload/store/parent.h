/* The parent's store, read by a child of fork. It is not mapped in the child, and the parent goes on writing to it. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "format.h"

struct mh_parent_store {
  int fd; /* -1: there is none */
  uint32_t counts[MH_KIND_COUNT]; /* at the fork; for records: now */
  uint64_t start_wall, start_monotonic;
  struct mh_calendar calendar; /* now */
  uint64_t dropped, dropped_bytes; /* now */
  uint32_t block_count;
  uint32_t *blocks; /* block table */
};

/* Reads the header and block table of the parent's store, before the child forgets it. False if it cannot be read. */
bool mh_parent_store_open(struct mh_parent_store *parent);

/* Makes room for the parent's elements of one kind, and copies them as they are in its file now. */
bool mh_parent_store_copy(const struct mh_parent_store *parent, uint32_t kind);

void mh_parent_store_close(struct mh_parent_store *parent);
