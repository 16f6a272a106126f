/* Walking stacks on x86-64.
 *
 *     CFA ─▶ ┌──────────────────┐
 *        −8  │ return address   │   always there, pushed by the call
 *            │ …                │
 *            │ caller's rbp     │   save AT_CFA: at CFA + saved; AT_FP: at rbp + saved (realigned frames);
 *            │ …                │   save NOT: still in rbp
 *     rsp ─▶ └──────────────────┘
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "cfi_row.h"
#include "unwind_rule.h"

#define MH_DWARF_FP 6
#define MH_DWARF_SP 7
#define MH_DWARF_PC 16

enum { MH_SAVED_NOT, MH_SAVED_AT_CFA, MH_SAVED_AT_FP };

/* Where the kernel keeps the interrupted registers, counted from the stack pointer in the frame that returns from a
 * signal: struct ucontext begins there. */
#define MH_SIGNAL_FP 120
#define MH_SIGNAL_SP 160
#define MH_SIGNAL_PC 168

/* Bytes of code that return from a signal handler: mov $SYS_rt_sigreturn, %eax (with or without REX.W); syscall. */
#define MH_SIGNAL_CODE_BYTES 9
static inline bool mh_is_signal_code(const uint8_t *code) {
  static const uint8_t with_rex[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
  static const uint8_t without_rex[] = {0xb8, 0x0f, 0, 0, 0, 0x0f, 0x05};
  bool same = true, same_without_rex = true;
  for (unsigned i = 0; i < sizeof with_rex; i++) same &= code[i] == with_rex[i];
  for (unsigned i = 0; i < sizeof without_rex; i++) same_without_rex &= code[i] == without_rex[i];
  return same || same_without_rex;
}

/* Bytes of code that a return address has in front of it: call with an address, or by register or memory. */
#define MH_CALL_BYTES 7
static inline bool mh_ends_with_call(const uint8_t *code) {
  static const uint8_t lengths[] = {2, 3, 4, 6, 7}; /* of ff /2, by its operand */
  bool found = code[MH_CALL_BYTES - 5] == 0xe8;
  for (unsigned i = 0; i < sizeof lengths; i++) {
    const uint8_t *at = code + MH_CALL_BYTES - lengths[i];
    found |= at[0] == 0xff && (at[1] & 0x38) == 0x10;
  }
  return found;
}

/* Every call moves the stack pointer, so each frame's CFA is above the one before. */
#define MH_CFA_MAY_STAY false

/* A frame without its own call yet can have its return address in a register on other architectures. */
#define MH_RA_IN_REGISTER(rule) ((void)(rule), false)

static inline uintptr_t mh_strip(uintptr_t return_address) {
  return return_address;
}

/* Address that holds the return address. */
static inline uintptr_t mh_ra_at(uint64_t rule, uintptr_t cfa) {
  (void)rule;
  return cfa - 8;
}

/* Address that holds the caller's frame pointer, 0 if that is still in its register. */
static inline uintptr_t mh_fp_at(uint64_t rule, uintptr_t cfa, uintptr_t fp) {
  unsigned save = mh_rule_save(rule);
  if (save == MH_SAVED_NOT) return 0;
  return (save == MH_SAVED_AT_CFA ? cfa : fp) + (uintptr_t)mh_rule_saved(rule);
}

/* Whether the caller's frame pointer depends on this frame's. */
static inline bool mh_fp_from_fp(uint64_t rule) {
  return mh_rule_save(rule) != MH_SAVED_AT_CFA;
}

/* The rule that every frame has for a program counter walked by frame pointers alone. */
#define MH_RULE_FRAME_POINTERS \
  (MH_RULE_FP | MH_SAVED_AT_CFA << 3 | (uint64_t)(16 / MH_RULE_UNIT) << 5 | \
   ((uint64_t)(-16 / MH_RULE_UNIT) & 0x7fff) << 25)

static inline bool mh_at_sp(const struct mh_register_rule *rule, int64_t offset) {
  return rule->how == MH_HOW_AT_TERM && rule->term.base == MH_BASE_SP && !rule->term.loaded && rule->term.add == offset;
}

/* Packs what the frame information says into a rule. */
static inline uint64_t mh_rule_pack(const struct mh_cfi_row *row) {
  if (row->ra.how == MH_HOW_UNDEFINED) return MH_RULE_END;
  if (!row->known) return MH_RULE_FALLBACK;
  const struct mh_term *cfa = &row->cfa;
  if (row->signal) {
    bool usual = cfa->base == MH_BASE_SP && cfa->loaded && cfa->from == MH_SIGNAL_SP && cfa->add == 0 &&
                 mh_at_sp(&row->ra, MH_SIGNAL_PC) && mh_at_sp(&row->fp, MH_SIGNAL_FP) &&
                 (row->sp.how == MH_HOW_SAME || mh_at_sp(&row->sp, MH_SIGNAL_SP));
    return usual ? MH_RULE_SIGNAL : MH_RULE_FALLBACK;
  }
  if (row->sp.how != MH_HOW_SAME && !(row->sp.how == MH_HOW_IS_CFA && row->sp.value == 0)) return MH_RULE_FALLBACK;
  if (row->ra.how != MH_HOW_AT_CFA || row->ra.value != -8) return MH_RULE_FALLBACK;

  uint64_t rule = 0;
  if (cfa->base != MH_BASE_SP && cfa->base != MH_BASE_FP) return MH_RULE_FALLBACK;
  if (cfa->loaded) {
    rule = cfa->base == MH_BASE_SP ? MH_RULE_SP_LOAD : MH_RULE_FP_LOAD;
    if (!mh_rule_put_load(&rule, cfa->from, cfa->add)) return MH_RULE_FALLBACK;
  } else {
    rule = cfa->base == MH_BASE_SP ? MH_RULE_SP : MH_RULE_FP;
    if (!mh_rule_put_cfa(&rule, cfa->add)) return MH_RULE_FALLBACK;
  }

  const struct mh_register_rule *fp = &row->fp;
  const struct mh_term *at = &fp->term;
  if (fp->how == MH_HOW_SAME) return rule;
  int64_t saved = fp->value;
  uint64_t save = MH_SAVED_AT_CFA;
  if (fp->how == MH_HOW_AT_TERM && !at->loaded && at->base == MH_BASE_FP) {
    saved = at->add;
    save = MH_SAVED_AT_FP;
  } else if (fp->how == MH_HOW_AT_TERM && !at->loaded && at->base == MH_BASE_CFA) {
    saved = at->add;
  } else if (fp->how == MH_HOW_AT_TERM && !at->loaded && at->base == MH_BASE_SP && cfa->base == MH_BASE_SP &&
             !cfa->loaded) {
    saved = at->add - cfa->add;
  } else if (fp->how != MH_HOW_AT_CFA) {
    return MH_RULE_FALLBACK;
  }
  rule |= save << 3;
  return mh_rule_put_saved(&rule, saved) ? rule : MH_RULE_FALLBACK;
}

/* Both C libraries keep the thread pointer in the first word it points to. */
static inline uintptr_t mh_thread_pointer(void) {
  uintptr_t pointer;
  __asm__("mov %%fs:0, %0" : "=r"(pointer));
  return pointer;
}

/* Puts {key, value} in place of {old_key, old_value} in one step. `pair` is 16-byte aligned. */
static inline bool mh_exchange_pair(uint64_t *pair, uint64_t old_key, uint64_t old_value, uint64_t key,
                                    uint64_t value) {
  bool done;
  __asm__ volatile("lock cmpxchg16b %1"
                   : "=@ccz"(done), "+m"(*(__uint128_t *)pair), "+a"(old_key), "+d"(old_value)
                   : "b"(key), "c"(value)
                   : "memory");
  return done;
}
