/* Walking stacks on aarch64.
 *
 *     CFA ─▶ ┌──────────────────┐   save BOTH: at CFA + saved the caller's x29, and in the next word
 *            │ …                │     the return address, as stp x29, x30 leaves them
 *            │ return address   │   save RA: at CFA + saved the return address; x29 still has its value
 *            │ caller's x29     │   save NOT: both still in their registers, a frame that calls nothing: met only
 *            │ …                │     where a signal interrupted it
 *     sp  ─▶ └──────────────────┘   save FP: at CFA + saved the caller's x29; the return address still in x30
 *
 * A return address may be signed (pointer authentication). Wherever one is used, the signature is stripped: that does
 * nothing to one that is not signed, so no rule says which it is.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "cfi_row.h"
#include "unwind_rule.h"

#define MH_DWARF_FP 29
#define MH_DWARF_SP 31
#define MH_DWARF_PC 32 /* no expression can name it */

enum { MH_SAVED_NOT, MH_SAVED_BOTH, MH_SAVED_RA, MH_SAVED_FP };

/* Where the kernel keeps the interrupted registers, counted from the stack pointer in the frame that returns from a
 * signal: struct siginfo, then struct ucontext. */
#define MH_SIGNAL_FP (312 + 29 * 8)
#define MH_SIGNAL_LR (312 + 30 * 8)
#define MH_SIGNAL_SP (312 + 31 * 8)
#define MH_SIGNAL_PC (312 + 32 * 8)

/* mov x8, #__NR_rt_sigreturn; svc #0 */
#define MH_SIGNAL_CODE_BYTES 8
static inline bool mh_is_signal_code(const uint8_t *code) {
  static const uint8_t expected[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
  bool same = true;
  for (unsigned i = 0; i < sizeof expected; i++) same &= code[i] == expected[i];
  return same;
}

/* A return address has a call in front of it: bl, or blr with or without pointer authentication. */
#define MH_CALL_BYTES 4
static inline bool mh_ends_with_call(const uint8_t *code) {
  uint32_t word = code[0] | (uint32_t)code[1] << 8 | (uint32_t)code[2] << 16 | (uint32_t)code[3] << 24;
  return word >> 26 == 0x25 || (word & 0xfefff000) == 0xd63f0000;
}

/* An interrupted function may not have a frame yet. */
#define MH_CFA_MAY_STAY true

static inline bool mh_ra_in_register(uint64_t rule) {
  return mh_rule_save(rule) == MH_SAVED_NOT || mh_rule_save(rule) == MH_SAVED_FP;
}
#define MH_RA_IN_REGISTER(rule) mh_ra_in_register(rule)

/* xpaclri, an instruction that older processors take for a hint and ignore. */
static inline uintptr_t mh_strip(uintptr_t return_address) {
  register uintptr_t x30 __asm__("x30") = return_address;
  __asm__("hint #7" : "+r"(x30));
  return x30;
}

/* Address that holds the return address, if that is not in its register. */
static inline uintptr_t mh_ra_at(uint64_t rule, uintptr_t cfa) {
  return cfa + (uintptr_t)mh_rule_saved(rule) + (mh_rule_save(rule) == MH_SAVED_BOTH ? 8 : 0);
}

/* Address that holds the caller's frame pointer, 0 if that is still in its register. */
static inline uintptr_t mh_fp_at(uint64_t rule, uintptr_t cfa, uintptr_t fp) {
  (void)fp;
  unsigned save = mh_rule_save(rule);
  return save == MH_SAVED_BOTH || save == MH_SAVED_FP ? cfa + (uintptr_t)mh_rule_saved(rule) : 0;
}

/* Whether the caller's frame pointer depends on this frame's. */
static inline bool mh_fp_from_fp(uint64_t rule) {
  return mh_rule_save(rule) == MH_SAVED_NOT || mh_rule_save(rule) == MH_SAVED_RA;
}

/* The rule that every frame has for a program counter walked by frame pointers alone: the frame record is all that is
 * known, so its end stands for the CFA. */
#define MH_RULE_FRAME_POINTERS \
  (MH_RULE_FP | MH_SAVED_BOTH << 3 | (uint64_t)(16 / MH_RULE_UNIT) << 5 | \
   ((uint64_t)(-16 / MH_RULE_UNIT) & 0x7fff) << 25)

/* Packs what the frame information says into a rule. */
static inline uint64_t mh_rule_pack(const struct mh_cfi_row *row) {
  if (row->ra.how == MH_HOW_UNDEFINED) return MH_RULE_END;
  /* What is said of the return from a signal leaves out the interrupted pc; the kernel's layout is known. */
  if (row->signal) return MH_RULE_SIGNAL;
  if (!row->known) return MH_RULE_FALLBACK;
  const struct mh_term *cfa = &row->cfa;
  if (row->sp.how != MH_HOW_SAME && !(row->sp.how == MH_HOW_IS_CFA && row->sp.value == 0)) return MH_RULE_FALLBACK;

  uint64_t rule = 0;
  if (cfa->base != MH_BASE_SP && cfa->base != MH_BASE_FP) return MH_RULE_FALLBACK;
  if (cfa->loaded) {
    rule = cfa->base == MH_BASE_SP ? MH_RULE_SP_LOAD : MH_RULE_FP_LOAD;
    if (!mh_rule_put_load(&rule, cfa->from, cfa->add)) return MH_RULE_FALLBACK;
  } else {
    rule = cfa->base == MH_BASE_SP ? MH_RULE_SP : MH_RULE_FP;
    if (!mh_rule_put_cfa(&rule, cfa->add)) return MH_RULE_FALLBACK;
  }

  const struct mh_register_rule *fp = &row->fp, *ra = &row->ra;
  bool fp_same = fp->how == MH_HOW_SAME, ra_same = ra->how == MH_HOW_SAME;
  if ((!fp_same && fp->how != MH_HOW_AT_CFA) || (!ra_same && ra->how != MH_HOW_AT_CFA)) return MH_RULE_FALLBACK;
  if (!fp_same && !ra_same && ra->value != fp->value + 8) return MH_RULE_FALLBACK;
  unsigned save = fp_same ? (ra_same ? MH_SAVED_NOT : MH_SAVED_RA) : (ra_same ? MH_SAVED_FP : MH_SAVED_BOTH);
  rule |= (uint64_t)save << 3;
  return mh_rule_put_saved(&rule, fp_same ? (ra_same ? 0 : ra->value) : fp->value) ? rule : MH_RULE_FALLBACK;
}

static inline uintptr_t mh_thread_pointer(void) {
  uintptr_t pointer;
  __asm__("mrs %0, tpidr_el0" : "=r"(pointer));
  return pointer;
}

/* Puts {key, value} in place of {old_key, old_value} in one step. `pair` is 16-byte aligned. */
static inline bool mh_exchange_pair(uint64_t *pair, uint64_t old_key, uint64_t old_value, uint64_t key,
                                    uint64_t value) {
  uint64_t seen_key, seen_value, next_key, next_value;
  uint32_t failed, same;
  /* Written back even if it is another pair: only then what was read is known to have been one pair. */
  __asm__ volatile(
      "1: ldaxp %[seen_key], %[seen_value], [%[pair]]\n"
      "   cmp %[seen_key], %[old_key]\n"
      "   ccmp %[seen_value], %[old_value], #0, eq\n"
      "   csel %[next_key], %[key], %[seen_key], eq\n"
      "   csel %[next_value], %[value], %[seen_value], eq\n"
      "   cset %w[same], eq\n"
      "   stlxp %w[failed], %[next_key], %[next_value], [%[pair]]\n"
      "   cbnz %w[failed], 1b\n"
      : [seen_key] "=&r"(seen_key), [seen_value] "=&r"(seen_value), [next_key] "=&r"(next_key),
        [next_value] "=&r"(next_value),
        [failed] "=&r"(failed), [same] "=&r"(same)
      : [pair] "r"(pair), [old_key] "r"(old_key), [old_value] "r"(old_value), [key] "r"(key), [value] "r"(value)
      : "cc", "memory");
  return same;
}
