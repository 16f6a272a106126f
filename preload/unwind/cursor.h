/* Bytes of call frame information, read with bounds. A cursor that ran over its end is `bad` and reads zeroes. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mh_cursor {
  const uint8_t *at, *end;
  intptr_t moved; /* address that a byte was copied from, minus where it is now */
  bool bad;
};

static inline bool mh_cursor_take(struct mh_cursor *c, void *into, size_t bytes) {
  if ((size_t)(c->end - c->at) < bytes) {
    c->bad = true;
    c->at = c->end;
    memset(into, 0, bytes);
    return false;
  }
  memcpy(into, c->at, bytes);
  c->at += bytes;
  return true;
}

static inline uint8_t mh_cursor_u8(struct mh_cursor *c) {
  uint8_t value;
  mh_cursor_take(c, &value, sizeof value);
  return value;
}
static inline uint16_t mh_cursor_u16(struct mh_cursor *c) {
  uint16_t value;
  mh_cursor_take(c, &value, sizeof value);
  return value;
}
static inline uint32_t mh_cursor_u32(struct mh_cursor *c) {
  uint32_t value;
  mh_cursor_take(c, &value, sizeof value);
  return value;
}
static inline uint64_t mh_cursor_u64(struct mh_cursor *c) {
  uint64_t value;
  mh_cursor_take(c, &value, sizeof value);
  return value;
}

static inline uint64_t mh_cursor_leb(struct mh_cursor *c, bool with_sign) {
  uint64_t value = 0;
  unsigned shift = 0;
  uint8_t byte;
  do {
    byte = mh_cursor_u8(c);
    if (shift < 64) value |= (uint64_t)(byte & 0x7f) << shift;
    shift += 7;
  } while (byte & 0x80);
  if (with_sign && byte & 0x40 && shift < 64) value |= ~0ull << shift;
  return value;
}
static inline uint64_t mh_cursor_uleb(struct mh_cursor *c) {
  return mh_cursor_leb(c, false);
}
static inline int64_t mh_cursor_sleb(struct mh_cursor *c) {
  return (int64_t)mh_cursor_leb(c, true);
}
