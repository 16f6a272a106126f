/* The overflow table: a hash table from address to record slot, for large blocks, for blocks that share a granule of
 * the shadow, and for memory of custom allocators.
 *
 * Large blocks are few, and making one is expensive anyway. So the table is simple. It has shards, each with a lock and
 * an open-addressed table: linear probing, deletion by shifting back, doubled when three quarters full.
 */
#include "index.h"
#include "../base/lock.h"
#include "../store/store.h"
#include "../base/sys.h"
#include "../base/self.h"

#define SHARDS 64
#define FIRST_CAPACITY 256

struct entry {
  uint64_t key; /* 0: empty */
  uint32_t slot;
};

struct table {
  uint32_t capacity;
  struct entry entries[];
};

static struct shard {
  struct mh_lock lock;
  uint32_t count;
  struct table *table;
} __attribute__((aligned(64))) shards[SHARDS];

static uint64_t hash(uint64_t key) {
  key *= 0x9e3779b97f4a7c15u;
  return key ^ key >> 29;
}

static struct shard *shard_of(uint64_t key) {
  return &shards[hash(key) >> 58];
}

static size_t table_bytes(const struct table *table) {
  return sizeof *table + table->capacity * sizeof *table->entries;
}

/* The entry with `key`, or the empty one where it would be. */
static struct entry *find(struct table *table, uint64_t key) {
  uint32_t mask = table->capacity - 1, at = (uint32_t)hash(key) & mask;
  while (table->entries[at].key && table->entries[at].key != key) at = (at + 1) & mask;
  return &table->entries[at];
}

/* A signal handler may jump out between any two stores: no key ever has another key's slot. */
static void set(struct entry *entry, uint64_t key, uint32_t slot) {
  entry->key = 0;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  entry->slot = slot;
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  entry->key = key;
}

/* Moves all entries into a new table of this capacity. The old one may be damaged by an interrupted change. */
static bool rebuild(struct shard *shard, uint32_t capacity) {
  struct table *old = shard->table, *table = mh_map_private(sizeof *table + capacity * sizeof *table->entries);
  if (!table) return false;
  table->capacity = capacity;
  uint32_t count = 0;
  for (uint32_t i = 0; old && i < old->capacity; i++) {
    struct entry *entry = old->entries[i].key ? find(table, old->entries[i].key) : NULL;
    if (!entry) continue;
    count += !entry->key;
    *entry = old->entries[i];
  }
  shard->table = table;
  __atomic_store_n(&shard->count, count, __ATOMIC_RELAXED);
  if (old) mh_munmap(old, table_bytes(old));
  return true;
}

static bool make_room(struct shard *shard) {
  uint32_t capacity = shard->table ? shard->table->capacity : 0;
  return (shard->count + 1) * 4 <= capacity * 3 || rebuild(shard, capacity ? capacity * 2 : FIRST_CAPACITY);
}

static bool take(struct shard *shard) {
  enum mh_lock_result taken = mh_lock_acquire_reentrant(&shard->lock, mh_self_id());
  if (MH_UNLIKELY(taken == MH_LOCK_TAKEN_OVER) && shard->table && !rebuild(shard, shard->table->capacity)) {
    mh_lock_release(&shard->lock);
    return false;
  }
  return taken != MH_LOCK_REFUSED;
}

bool mh_overflow_put(uint64_t key, uint32_t slot, uint32_t *stale) {
  struct shard *shard = shard_of(key);
  *stale = 0;
  if (!take(shard)) return false;
  bool room = make_room(shard);
  if (room) {
    struct entry *entry = find(shard->table, key);
    if (entry->key)
      *stale = entry->slot;
    else
      __atomic_store_n(&shard->count, shard->count + 1, __ATOMIC_RELAXED);
    set(entry, key, slot);
  }
  mh_lock_release(&shard->lock);
  return room;
}

uint32_t mh_overflow_take(uint64_t key) {
  struct shard *shard = shard_of(key);
  /* The count is up to date for this block: this thread put it in, or the thread from which it got the block. */
  if (!__atomic_load_n(&shard->count, __ATOMIC_RELAXED) || !take(shard)) return 0;
  uint32_t slot = 0;
  struct table *table = shard->table;
  struct entry *entry = table ? find(table, key) : NULL;
  if (entry && entry->key) {
    slot = entry->slot;
    __atomic_store_n(&shard->count, shard->count - 1, __ATOMIC_RELAXED);
    uint32_t mask = table->capacity - 1, hole = (uint32_t)(entry - table->entries);
    for (uint32_t at = (hole + 1) & mask; table->entries[at].key; at = (at + 1) & mask) {
      uint32_t home = (uint32_t)hash(table->entries[at].key) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      set(&table->entries[hole], table->entries[at].key, table->entries[at].slot);
      hole = at;
    }
    table->entries[hole].key = 0;
  }
  mh_lock_release(&shard->lock);
  return slot;
}

uint32_t mh_overflow_peek(uint64_t key) {
  const struct shard *shard = shard_of(key);
  const struct entry *entry = shard->table ? find(shard->table, key) : NULL;
  return entry && entry->key ? entry->slot : 0;
}

void mh_overflow_clone(void) {
  /* A table that another thread was changing at the fork is repaired, as after a jump out of the middle. */
  for (uint32_t i = 0; i < SHARDS; i++) {
    struct shard *shard = &shards[i];
    if (shard->lock.held && shard->table && !rebuild(shard, shard->table->capacity)) *shard = (struct shard){0};
    shard->lock = (struct mh_lock){0};
  }
}

/* Whether the entry's record describes the block. */
static bool is_recorded(const struct entry *entry) {
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  return entry->slot < count && mh_record(entry->slot)->address == (entry->key & ~MH_OVERFLOW_CUSTOM);
}

void mh_overflow_drop_missing(void) {
  for (uint32_t i = 0; i < SHARDS; i++) {
    struct table *table = shards[i].table;
    for (uint32_t at = 0; table && at < table->capacity; at++)
      if (table->entries[at].key && !is_recorded(&table->entries[at])) table->entries[at].key = 0;
    if (table && !rebuild(&shards[i], table->capacity)) shards[i] = (struct shard){0};
  }
}

void mh_overflow_reset(void) {
  for (uint32_t i = 0; i < SHARDS; i++) {
    if (shards[i].table) mh_munmap(shards[i].table, table_bytes(shards[i].table));
    shards[i] = (struct shard){0};
  }
}
