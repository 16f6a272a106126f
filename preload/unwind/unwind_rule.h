/* One unwind rule: how to get from a frame to its caller at one program counter, packed in 40 bits. The 24 bits above
 * them hold the interned frame of that program counter (0: not known yet), so that both cost one lookup.
 *
 *     63          40 39        25 24               5 4  3 2    0
 *     ┌─────────────┬────────────┬──────────────────┬────┬──────┐
 *     │ frame id    │ saved      │ cfa              │save│ kind │
 *     └─────────────┴────────────┴──────────────────┴────┴──────┘
 *
 * cfa and saved are signed, in units of 8 bytes. A word of 0 means "no rule".
 *
 *     kind                 the CFA (the caller's stack pointer)
 *     SP, FP               stack or frame pointer + cfa
 *     SP_LOAD, FP_LOAD     the word at stack or frame pointer + near, and far added to it: functions that realign
 *                          their stack. cfa is then split in near (low 14 bits) and far (high 6 bits)
 *     SIGNAL               everything is in the signal context that the kernel put on the stack
 *     END                  there is no caller; or its callers are lost, as save says
 *     FALLBACK             a rule does not suffice: libunwind walks this stack
 *
 * What save and saved say about the caller's frame pointer and the return address: step_x86_64.h, step_aarch64.h.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
  MH_RULE_SP = 1,
  MH_RULE_FP,
  MH_RULE_SP_LOAD,
  MH_RULE_FP_LOAD,
  MH_RULE_SIGNAL,
  MH_RULE_END,
  MH_RULE_FALLBACK,
};

/* Rules of kind END for code without frame information. Its callers are lost, except for one part of the C library's
 * code: see outermost.h. */
#define MH_RULE_LOST (MH_RULE_END | 1u << 3)
#define MH_RULE_LOST_IN_RUNTIME (MH_RULE_END | 2u << 3)

#define MH_RULE_UNIT 8
#define MH_RULE_FRAME_SHIFT 40
#define MH_RULE_FRAME_LIMIT (1u << 24)
#define MH_RULE_MASK ((1ull << MH_RULE_FRAME_SHIFT) - 1)

static inline unsigned mh_rule_kind(uint64_t rule) {
  return rule & 7;
}
static inline unsigned mh_rule_save(uint64_t rule) {
  return rule >> 3 & 3;
}
static inline intptr_t mh_rule_cfa(uint64_t rule) {
  return ((int64_t)(rule << 39) >> 44) * MH_RULE_UNIT;
}
static inline intptr_t mh_rule_near(uint64_t rule) {
  return ((int64_t)(rule << 45) >> 50) * MH_RULE_UNIT;
}
static inline intptr_t mh_rule_far(uint64_t rule) {
  return ((int64_t)(rule << 39) >> 58) * MH_RULE_UNIT;
}
static inline intptr_t mh_rule_saved(uint64_t rule) {
  return ((int64_t)(rule << 24) >> 49) * MH_RULE_UNIT;
}
static inline uint32_t mh_rule_frame(uint64_t rule) {
  return (uint32_t)(rule >> MH_RULE_FRAME_SHIFT);
}

/* Whether the callers are lost. */
static inline bool mh_rule_is_lost(uint64_t rule) {
  return mh_rule_kind(rule) == MH_RULE_END && mh_rule_save(rule) != 0;
}

/* Whether the CFA comes from the frame pointer. */
static inline bool mh_rule_from_fp(uint64_t rule) {
  return mh_rule_kind(rule) == MH_RULE_FP || mh_rule_kind(rule) == MH_RULE_FP_LOAD;
}

/* Packs `value` (bytes) into `bits` at `shift`; false if it does not fit. */
static inline bool mh_rule_put(uint64_t *rule, int64_t value, unsigned shift, unsigned bits) {
  int64_t units = value / MH_RULE_UNIT;
  if (value % MH_RULE_UNIT || units < -(1ll << (bits - 1)) || units >= 1ll << (bits - 1)) return false;
  *rule |= ((uint64_t)units & ((1ull << bits) - 1)) << shift;
  return true;
}
static inline bool mh_rule_put_cfa(uint64_t *rule, int64_t bytes) {
  return mh_rule_put(rule, bytes, 5, 20);
}
static inline bool mh_rule_put_load(uint64_t *rule, int64_t near, int64_t far) {
  return mh_rule_put(rule, near, 5, 14) && mh_rule_put(rule, far, 19, 6);
}
static inline bool mh_rule_put_saved(uint64_t *rule, int64_t bytes) {
  return mh_rule_put(rule, bytes, 25, 15);
}
