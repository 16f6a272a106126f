/* The rule table; see rule_table.h. */
#include "rule_table.h"

#include "../base/lock.h"
#include "step.h"

#define FIRST_SLOTS 4096u
#define MOST_SLOTS (1u << 20)

struct mh_rule_table *mh_rule_table;

static struct mh_lock growing;

static uint64_t generation_of(uint64_t key) {
  return key >> MH_KEY_GENERATION_SHIFT;
}

static struct mh_rule_table *new_table(uint32_t slots) {
  struct mh_rule_table *table = mh_map_private(sizeof *table + slots * sizeof *table->slots);
  if (!table) return NULL;
  table->shift = 64 - (uint32_t)__builtin_ctz(slots);
  table->mask = slots - 1;
  return table;
}

/* False: there is no room in this neighbourhood. */
static bool insert(struct mh_rule_table *table, uint64_t key, uint64_t rule) {
  uint32_t home = mh_rule_home(table, key);
  for (unsigned attempt = 0; attempt < 4; attempt++) {
    struct mh_rule_slot *place = NULL;
    uint64_t old_key = 0, old_rule = 0;
    for (unsigned probe = 0; probe < MH_RULE_PROBES; probe++) {
      struct mh_rule_slot *slot = &table->slots[(home + probe) & table->mask];
      uint64_t seen = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);
      uint64_t seen_rule = __atomic_load_n(&slot->rule, __ATOMIC_ACQUIRE);
      bool same = seen == key, stale = seen && generation_of(seen) != generation_of(key);
      if (same || (!place && (stale || !seen))) {
        place = slot;
        old_key = seen;
        old_rule = seen_rule;
      }
      if (same || !seen) break;
    }
    if (!place) return false;
    if (old_key == key && mh_rule_frame(old_rule)) return true;
    /* Fails when another thread was here first: look again. */
    if (mh_exchange_pair(&place->key, old_key, old_rule, key, rule)) return true;
  }
  return true;
}

/* A table of `slots` slots with the rules of this generation that are in `full`. */
static struct mh_rule_table *larger_table(const struct mh_rule_table *full, uint32_t slots, uint64_t generation) {
  struct mh_rule_table *table = new_table(slots);
  for (uint32_t i = 0; table && i <= full->mask; i++) {
    const struct mh_rule_slot *slot = &full->slots[i];
    uint64_t key = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);
    uint64_t rule = __atomic_load_n(&slot->rule, __ATOMIC_ACQUIRE);
    bool whole = __atomic_load_n(&slot->key, __ATOMIC_RELAXED) == key;
    if (key && whole && generation_of(key) == generation) insert(table, key, rule);
  }
  return table;
}

/* Signals are blocked. Nobody waits for this lock, so nobody would notice that a signal handler ended its holder. */
static void grow(struct mh_rule_table *full, uint64_t generation) {
  uint32_t slots = full->mask + 1;
  if (slots >= MOST_SLOTS || MH_GET(growing.held)) return;
  uint64_t signals = mh_signals_hold();
  if (mh_lock_try_reentrant(&growing, (uint32_t)mh_gettid())) {
    if (__atomic_load_n(&mh_rule_table, __ATOMIC_RELAXED) == full) {
      struct mh_rule_table *table = larger_table(full, slots * 4, generation);
      if (table) __atomic_store_n(&mh_rule_table, table, __ATOMIC_RELEASE);
    }
    mh_lock_release(&growing);
  }
  mh_signals_release(signals);
}

void mh_rule_insert(uint64_t key, uint64_t rule) {
  if (!key) return;
  struct mh_rule_table *table = __atomic_load_n(&mh_rule_table, __ATOMIC_ACQUIRE);
  if (!table) {
    struct mh_rule_table *first = new_table(FIRST_SLOTS);
    if (!first) return;
    if (__atomic_compare_exchange_n(&mh_rule_table, &table, first, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      table = first;
    else
      mh_munmap(first, sizeof *first + FIRST_SLOTS * sizeof *first->slots);
  }
  if (!insert(table, key, rule)) {
    grow(table, generation_of(key));
    insert(__atomic_load_n(&mh_rule_table, __ATOMIC_ACQUIRE), key, rule);
  }
}

void mh_rule_table_child(void) {
  growing = (struct mh_lock){0};
}

void mh_rule_table_generation(uint32_t generation) {
  if (generation % MH_KEY_GENERATIONS) return;
  struct mh_rule_table *table = __atomic_load_n(&mh_rule_table, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; table && i <= table->mask; i++) {
    struct mh_rule_slot *slot = &table->slots[i];
    uint64_t key = __atomic_load_n(&slot->key, __ATOMIC_ACQUIRE);
    uint64_t rule = __atomic_load_n(&slot->rule, __ATOMIC_ACQUIRE);
    /* Use 3 does not exist, so such a key is never asked for. */
    if (key) mh_exchange_pair(&slot->key, key, rule, key | 3ull << 47, rule);
  }
}
