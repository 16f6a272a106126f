/* The side table: a hash table from address to record slot, for large blocks, for blocks that share a granule of the
 * shadow, and for memory of custom allocators.
 *
 * Large blocks are few and their cost lies elsewhere, so this is simple: shards, each with a lock and an open-addressed
 * table (linear probing, deletion by shifting back), doubled when three quarters full.
 */
#include "index.h"
#include "lock.h"
#include "sys.h"

#define SHARDS 64
#define FIRST_CAPACITY 256

struct entry {
  uint64_t key; /* 0: empty */
  uint32_t slot;
};

static struct shard {
  struct mh_lock lock;
  uint32_t count, capacity;
  struct entry *entries;
} __attribute__((aligned(64))) shards[SHARDS];

static uint64_t hash(uint64_t key) {
  key *= 0x9e3779b97f4a7c15u;
  return key ^ key >> 29;
}

static struct shard *shard_of(uint64_t key) {
  return &shards[hash(key) >> 58];
}

/* Where `key` is, or the empty place where it would be. */
static struct entry *find(const struct shard *shard, uint64_t key) {
  uint32_t mask = shard->capacity - 1, at = (uint32_t)hash(key) & mask;
  while (shard->entries[at].key && shard->entries[at].key != key) at = (at + 1) & mask;
  return &shard->entries[at];
}

static bool make_room(struct shard *shard) {
  if ((shard->count + 1) * 4 <= shard->capacity * 3) return true;
  struct shard larger = {.capacity = shard->capacity ? shard->capacity * 2 : FIRST_CAPACITY};
  larger.entries = mh_map_private(larger.capacity * sizeof(struct entry));
  if (!larger.entries) return false;
  for (uint32_t i = 0; i < shard->capacity; i++)
    if (shard->entries[i].key) *find(&larger, shard->entries[i].key) = shard->entries[i];
  if (shard->entries) mh_munmap(shard->entries, shard->capacity * sizeof(struct entry));
  shard->capacity = larger.capacity;
  shard->entries = larger.entries;
  return true;
}

bool mh_side_put(uint64_t key, uint32_t slot, uint32_t *stale) {
  struct shard *shard = shard_of(key);
  *stale = 0;
  if (!mh_lock_take(&shard->lock)) return false;
  bool room = make_room(shard);
  if (room) {
    struct entry *entry = find(shard, key);
    if (entry->key)
      *stale = entry->slot;
    else
      __atomic_store_n(&shard->count, shard->count + 1, __ATOMIC_RELAXED);
    *entry = (struct entry){key, slot};
  }
  mh_lock_release(&shard->lock);
  return room;
}

uint32_t mh_side_take(uint64_t key) {
  struct shard *shard = shard_of(key);
  /* What this thread may take out, it or the thread that handed the block over has put in: the count is up to date. */
  if (!__atomic_load_n(&shard->count, __ATOMIC_RELAXED) || !mh_lock_take(&shard->lock)) return 0;
  uint32_t slot = 0;
  struct entry *entry = shard->entries ? find(shard, key) : NULL;
  if (entry && entry->key) {
    slot = entry->slot;
    __atomic_store_n(&shard->count, shard->count - 1, __ATOMIC_RELAXED);
    uint32_t mask = shard->capacity - 1, hole = (uint32_t)(entry - shard->entries);
    for (uint32_t at = (hole + 1) & mask; shard->entries[at].key; at = (at + 1) & mask) {
      uint32_t home = (uint32_t)hash(shard->entries[at].key) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      shard->entries[hole] = shard->entries[at];
      hole = at;
    }
    shard->entries[hole].key = 0;
  }
  mh_lock_release(&shard->lock);
  return slot;
}

uint32_t mh_side_peek(uint64_t key) {
  const struct shard *shard = shard_of(key);
  const struct entry *entry = shard->entries ? find(shard, key) : NULL;
  return entry && entry->key ? entry->slot : 0;
}

void mh_side_inherit(void) {
  /* A shard that another thread was changing at the fork cannot be trusted. */
  for (uint32_t i = 0; i < SHARDS; i++)
    if (shards[i].lock.held) shards[i] = (struct shard){0};
}

void mh_side_reset(void) {
  mh_side_inherit();
  for (uint32_t i = 0; i < SHARDS; i++) {
    if (shards[i].entries) mh_munmap(shards[i].entries, shards[i].capacity * sizeof(struct entry));
    shards[i] = (struct shard){0};
  }
}
