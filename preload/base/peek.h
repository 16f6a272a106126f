/* Peeking: reading memory that may not be mapped, or that another thread may be unmapping, without the risk of a
 * crash. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* There may be larger pages; there are no smaller ones. */
#define MH_PAGE 4096u

/* Whether the byte at `address` can be read, without reading it. */
bool mh_readable(uintptr_t address);

/* Copies `least` bytes from `address`, and more, up to `most` bytes, where that is possible without risk. Stops at the
 * first page that cannot be read. Returns the number of bytes copied. */
size_t mh_peek_ahead(void *into, uintptr_t address, size_t least, size_t most);

/* Copies `bytes` from `address`; false if some of them cannot be read. */
static inline bool mh_peek(void *into, uintptr_t address, size_t bytes) {
  return mh_peek_ahead(into, address, bytes, bytes) == bytes;
}
