/* Reading bytes of call frame information within bounds. A cursor that has passed its end is `bad`, and reads zeros. */
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

/* A pointer in one of the encodings of .eh_frame (DW_EH_PE). */
static inline uintptr_t mh_cursor_encoded(struct mh_cursor *c, uint8_t encoding) {
  uintptr_t here = (uintptr_t)c->at + (uintptr_t)c->moved;
  uintptr_t value = 0;
  switch (encoding & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c: value = mh_cursor_u64(c); break;
    case 0x01: value = mh_cursor_uleb(c); break;
    case 0x02: value = mh_cursor_u16(c); break;
    case 0x03: value = mh_cursor_u32(c); break;
    case 0x09: value = (uintptr_t)mh_cursor_sleb(c); break;
    case 0x0a: value = (uintptr_t)(int16_t)mh_cursor_u16(c); break;
    case 0x0b: value = (uintptr_t)(int32_t)mh_cursor_u32(c); break;
    default: c->bad = true;
  }
  if ((encoding & 0xf0) == 0x10)
    value += here;
  else if (encoding & 0xf0)
    c->bad = true; /* relative to something else, or indirect: not used for code addresses */
  return value;
}
