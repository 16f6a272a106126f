/* The parent's store, read from its file; see parent.h. */
#include "parent.h"

#include <errno.h>

#include "../base/peek.h"
#include "store.h"
#include "../base/sys.h"

/* Reads all `bytes`, however many calls that takes. */
static bool read_fully(int fd, void *target, uint64_t bytes, uint64_t offset) {
  for (uint64_t done = 0; done < bytes;) {
    long got = mh_pread(fd, (uint8_t *)target + done, bytes - done, offset + done);
    if (got == -EINTR) continue;
    if (got <= 0) return false;
    done += (uint64_t)got;
  }
  return true;
}

bool mh_parent_store_open(struct mh_parent_store *parent) {
  static struct mh_header header; /* static as in claim.c: stacks may be small */
  parent->blocks = NULL;
  parent->fd = mh_store_fd();
  if (parent->fd < 0 || !read_fully(parent->fd, &header, sizeof(header), 0)) return false;
  for (uint32_t kind = 0; kind < MH_KIND_COUNT; kind++) parent->counts[kind] = mh_store_published[kind];
  parent->counts[MH_KIND_RECORDS] = header.arrays[MH_KIND_RECORDS].count;
  /* Plus what an interrupted hook has dropped since the fork, in memory that stands in for the store. */
  uint64_t dropped = 0, dropped_bytes = 0;
  if (!mh_peek(&dropped, (uintptr_t)&mh_header()->dropped, sizeof(dropped))) dropped = 0;
  if (!mh_peek(&dropped_bytes, (uintptr_t)&mh_header()->dropped_bytes, sizeof(dropped_bytes))) dropped_bytes = 0;
  parent->dropped = header.dropped + dropped;
  parent->dropped_bytes = header.dropped_bytes + dropped_bytes;
  parent->start_wall = header.start_wall;
  parent->start_monotonic = header.start_monotonic;
  parent->calendar = header.calendar;
  parent->block_count = header.block_count;
  parent->blocks = mh_map_private(MH_BLOCK_TABLE_BYTES);
  return parent->blocks &&
         read_fully(parent->fd, parent->blocks, header.block_count * MH_BLOCK_ENTRY_BYTES, MH_BLOCK_TABLE_OFFSET);
}

void mh_parent_store_close(struct mh_parent_store *parent) {
  if (parent->fd >= 0) mh_close(parent->fd);
  if (parent->blocks) mh_munmap(parent->blocks, MH_BLOCK_TABLE_BYTES);
  parent->fd = -1;
  parent->blocks = NULL;
}

bool mh_parent_store_copy(const struct mh_parent_store *parent, uint32_t kind) {
  uint32_t count = parent->counts[kind], per_block = MH_BLOCK_BYTES / mh_element_bytes[kind];
  if (!mh_store_reserve(kind, count)) return false;
  for (uint32_t block = 1; block < parent->block_count; block++) {
    uint32_t entry = parent->blocks[block], ordinal = entry & MH_BLOCK_ENTRY_ORDINAL_MASK;
    if (entry >> MH_BLOCK_ENTRY_KIND_SHIFT != kind || ordinal > (count - 1) / per_block) continue;
    uint32_t elements = count - ordinal * per_block < per_block ? count - ordinal * per_block : per_block;
    uint8_t *target = kind == MH_KIND_RECORDS ? mh_record_blocks[ordinal] : mh_table_blocks[kind][ordinal];
    if (!read_fully(parent->fd, target, (uint64_t)elements * mh_element_bytes[kind], (uint64_t)block * MH_BLOCK_BYTES))
      return false;
  }
  mh_store_publish(kind, count);
  return true;
}
