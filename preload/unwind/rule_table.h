/* The rule table: unwind rules by program counter, shared by all threads, without a lock.
 *
 * It uses open addressing. A slot is two words, {key, rule}, which are always written together by one 16-byte exchange.
 * So a slot never pairs the key of one program counter with the rule of another. A reader that sees the same key before
 * and after it has read the rule has that key's rule.
 *
 *     key   63       49 48  47 46                    0
 *           ┌──────────┬──────┬──────────────────────┐
 *           │generation│ kind │ program counter      │     0: free; aarch64: the program counter's upper 46 bits
 *           └──────────┴──────┴──────────────────────┘
 *
 * A key of an older module generation is never found, and an insertion may replace it. The table grows when a
 * neighbourhood of slots is full. Outgrown tables stay mapped, because threads may be reading them; together they are
 * smaller than the new one. Losing an insertion is harmless: the rule is computed again.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "unwind_rule.h"
#include "../base/sys.h"

/* One program counter can have a rule for each of these. */
enum mh_rule_use { MH_USE_RETURN, MH_USE_EXACT, MH_USE_FRAME_POINTERS };

struct mh_rule_slot {
  uint64_t key, rule;
} __attribute__((aligned(16)));

struct mh_rule_table {
  uint32_t shift, mask; /* home slot: hash >> shift; slots − 1 */
  uint64_t padding;
  struct mh_rule_slot slots[];
};

#define MH_RULE_PROBES 8
#define MH_KEY_GENERATION_SHIFT 49
#define MH_KEY_GENERATIONS (1u << 15)

extern struct mh_rule_table *mh_rule_table;

/* The key, 0 if this program counter is not kept in the table. */
static inline uint64_t mh_rule_key(uintptr_t pc, enum mh_rule_use use, uint32_t generation) {
#if defined(__aarch64__)
  /* Addresses of 48 bits, programs in their upper half; instructions of four bytes. */
  if (MH_UNLIKELY(pc & 3)) return 0;
  pc >>= 2;
#endif
  if (MH_UNLIKELY(pc >> 47)) return 0;
  return (uint64_t)generation << MH_KEY_GENERATION_SHIFT | (uint64_t)use << 47 | pc;
}

/* The key of a frame's rule. In frame-pointer mode the table is only used for the frame id. */
MH_INLINE uint64_t mh_frame_key(uintptr_t pc, bool exact, uint32_t generation, bool frame_pointers) {
  return mh_rule_key(pc, frame_pointers ? MH_USE_FRAME_POINTERS : exact ? MH_USE_EXACT : MH_USE_RETURN, generation);
}

static inline uint32_t mh_rule_home(const struct mh_rule_table *table, uint64_t key) {
  return (uint32_t)(key * 0x9e3779b97f4a7c15ull >> table->shift);
}

/* The rule with its frame id, 0 if it is not in the table. */
MH_INLINE uint64_t mh_rule_find(uint64_t key) {
  const struct mh_rule_table *table = __atomic_load_n(&mh_rule_table, __ATOMIC_ACQUIRE);
  if (MH_UNLIKELY(!table)) return 0;
  uint32_t at = mh_rule_home(table, key);
  for (unsigned probe = 0; probe < MH_RULE_PROBES; probe++, at = (at + 1) & table->mask) {
    const struct mh_rule_slot *slot = &table->slots[at];
    uint64_t seen = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);
    if (MH_LIKELY(seen == key)) {
      uint64_t rule = __atomic_load_n(&slot->rule, __ATOMIC_ACQUIRE);
      return MH_LIKELY(__atomic_load_n(&slot->key, __ATOMIC_RELAXED) == key) ? rule : 0;
    }
    if (!seen) break;
  }
  return 0;
}

/* Inserts a rule, or adds the frame id to a rule that is there. */
void mh_rule_insert(uint64_t key, uint64_t rule);

/* In a child of fork: another thread may have been growing the table. */
void mh_rule_table_child(void);

/* To be called when the generation has changed. A key has few bits for it, so old keys are removed before the number
 * wraps around. */
void mh_rule_table_generation(uint32_t generation);
