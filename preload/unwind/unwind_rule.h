/* One row: how to get from a frame to its caller at one program counter, packed in 40 bits. The 24 bits above
 * them hold the interned frame of that program counter (0: not known yet), so that both cost one lookup.
 *
 *     63          40 39        25 24               5 4  3 2    0
 *     ┌─────────────┬────────────┬──────────────────┬────┬──────┐
 *     │ frame id    │ saved      │ cfa              │rule│ kind │
 *     └─────────────┴────────────┴──────────────────┴────┴──────┘
 *
 * cfa and saved are signed and count 8 bytes. 64 bits of nothing mean "no row".
 *
 *     kind                 the CFA (the caller's stack pointer)
 *     SP, FP               stack or frame pointer + cfa
 *     SP_LOAD, FP_LOAD     the word at stack or frame pointer + near, and far added to it: functions that realign
 *                          their stack. cfa is then split in near (low 14 bits) and far (high 6 bits)
 *     SIGNAL               everything is in the signal context that the kernel put on the stack
 *     END                  there is no caller; or nobody knows, as its rule says
 *     FALLBACK             more than a row can say: libunwind steps this stack
 *
 * What rule and saved say about the caller's frame pointer and the return address: step_x86_64.h, step_aarch64.h.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
  MH_ROW_SP = 1,
  MH_ROW_FP,
  MH_ROW_SP_LOAD,
  MH_ROW_FP_LOAD,
  MH_ROW_SIGNAL,
  MH_ROW_END,
  MH_ROW_FALLBACK,
};

/* Rows of kind END for code that nobody describes. Its callers are lost, but for one part of the C library's code: see outermost.h. */
#define MH_ROW_LOST (MH_ROW_END | 1u << 3)
#define MH_ROW_LOST_IN_RUNTIME (MH_ROW_END | 2u << 3)

#define MH_ROW_UNIT 8
#define MH_ROW_FRAME_SHIFT 40
#define MH_ROW_FRAME_LIMIT (1u << 24)
#define MH_ROW_MASK ((1ull << MH_ROW_FRAME_SHIFT) - 1)

static inline unsigned mh_row_kind(uint64_t row) {
  return row & 7;
}
static inline unsigned mh_row_rule(uint64_t row) {
  return row >> 3 & 3;
}
static inline intptr_t mh_row_cfa(uint64_t row) {
  return ((int64_t)(row << 39) >> 44) * MH_ROW_UNIT;
}
static inline intptr_t mh_row_near(uint64_t row) {
  return ((int64_t)(row << 45) >> 50) * MH_ROW_UNIT;
}
static inline intptr_t mh_row_far(uint64_t row) {
  return ((int64_t)(row << 39) >> 58) * MH_ROW_UNIT;
}
static inline intptr_t mh_row_saved(uint64_t row) {
  return ((int64_t)(row << 24) >> 49) * MH_ROW_UNIT;
}
static inline uint32_t mh_row_frame(uint64_t row) {
  return (uint32_t)(row >> MH_ROW_FRAME_SHIFT);
}

/* Whether nobody knows the way out. */
static inline bool mh_row_is_lost(uint64_t row) {
  return mh_row_kind(row) == MH_ROW_END && mh_row_rule(row) != 0;
}

/* Whether the CFA comes from the frame pointer. */
static inline bool mh_row_from_fp(uint64_t row) {
  return mh_row_kind(row) == MH_ROW_FP || mh_row_kind(row) == MH_ROW_FP_LOAD;
}

/* Packs `value` (bytes) into `bits` at `shift`; false if it does not fit. */
static inline bool mh_row_put(uint64_t *row, int64_t value, unsigned shift, unsigned bits) {
  int64_t units = value / MH_ROW_UNIT;
  if (value % MH_ROW_UNIT || units < -(1ll << (bits - 1)) || units >= 1ll << (bits - 1)) return false;
  *row |= ((uint64_t)units & ((1ull << bits) - 1)) << shift;
  return true;
}
static inline bool mh_row_put_cfa(uint64_t *row, int64_t bytes) {
  return mh_row_put(row, bytes, 5, 20);
}
static inline bool mh_row_put_load(uint64_t *row, int64_t near, int64_t far) {
  return mh_row_put(row, near, 5, 14) && mh_row_put(row, far, 19, 6);
}
static inline bool mh_row_put_saved(uint64_t *row, int64_t bytes) {
  return mh_row_put(row, bytes, 25, 15);
}
