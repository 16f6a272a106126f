/* Interning; see intern.h.
 *
 * There are three sets. Each is a table of ids (open addressing, a power of two) over the elements in the store itself.
 * An entry has an id and the element's hash. Only an element with the right hash is read: the others are rarely in a
 * cache. A larger table is filled from the hashes alone.
 *
 * Readers take no lock. A larger table is published by one pointer. The old table's pages are then returned to the
 * kernel, but stay mapped. A reader that is still in it finds zeros, which is a miss, and looks again under the lock.
 *
 * A set's lock is for economy: one thread adds to the set at a time, so no element is in it twice. A signal handler may
 * jump out of the holder. So a waiter steals the lock after some time, although the holder may still be working. That
 * does no harm: each id is given out once, words change by compare and exchange, and an entry that goes into an
 * outgrown table is merely not found, and added again.
 */
#include "intern.h"

#include "../base/lock.h"
#include "modules.h"
#include "../store/store.h"
#include "../base/sys.h"
#include "../base/self.h"

#define FIRST_CAPACITY 1024

struct table {
  uint32_t capacity;
  uint64_t entries[]; /* an id and, above it, the hash; 0: free */
};

struct set {
  struct table *table;
  struct table *larger; /* being filled; usually NULL */
  uint32_t moved;       /* the first entry that may not be in it yet */
  uint32_t next;        /* ids below it are never given out again */
  struct mh_lock lock;
  uint32_t kind;
};

static struct set nodes = {.kind = MH_KIND_NODES};
static struct set frames = {.kind = MH_KIND_FRAMES};
static struct set stacks = {.kind = MH_KIND_STACKS};

static size_t table_bytes(uint32_t capacity) {
  return sizeof(struct table) + (size_t)capacity * sizeof(uint64_t);
}

/* Puts an entry where its hash says, unless it is there. */
static void put(struct table *table, uint64_t entry) {
  uint32_t mask = table->capacity - 1, at = (uint32_t)(entry >> 32) & mask;
  for (uint32_t turn = 0; turn <= mask; turn++, at = (at + 1) & mask) {
    uint64_t there = 0;
    if (__atomic_compare_exchange_n(&table->entries[at], &there, entry, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED) ||
        there == entry)
      return;
  }
}

/* Fills the larger table. If a signal handler jumped out of this, it continues where it was: otherwise it might never
 * finish. Entries that were added since are in both tables. */
static void fill_larger(struct set *set, const struct table *old, struct table *larger) {
  for (uint32_t at = set->moved; old && at < old->capacity; at++) {
    uint64_t entry = MH_GET(old->entries[at]);
    if (entry) put(larger, entry);
    __atomic_signal_fence(__ATOMIC_RELEASE);
    set->moved = at + 1;
  }
}

/* Room for one more id. The lock is held. */
static bool make_room(struct set *set) {
  uint32_t count = mh_header()->arrays[set->kind].count;
  struct table *old = MH_GET(set->table), *larger = MH_GET(set->larger);
  if (old && (uint64_t)count * 4 <= (uint64_t)old->capacity * 3) return true;
  uint32_t capacity = old ? old->capacity * 2 : FIRST_CAPACITY;
  if (!larger || larger->capacity != capacity) {
    larger = mh_map_private(table_bytes(capacity));
    if (!larger) return false;
    larger->capacity = capacity;
    set->moved = 0;
    __atomic_store_n(&set->larger, larger, __ATOMIC_RELEASE);
  }
  fill_larger(set, old, larger);
  struct table *before = old;
  bool published = __atomic_compare_exchange_n(&set->table, &before, larger, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
  before = larger;
  __atomic_compare_exchange_n(&set->larger, &before, NULL, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  if (!published) return true;
  /* All but the beginning, which holds the capacity that a reader may still use. */
  size_t bytes = old ? table_bytes(old->capacity) : 0;
  if (bytes > 65536) mh_madvise((uint8_t *)old + 65536, (bytes - 65536) & ~(size_t)65535, MADV_DONTNEED);
  return true;
}

/* Sets `id` to the element for which `same` holds, 0 if the table has none. It is a macro because each set compares
 * something else. So the compiler sees one loop with one comparison, and a hit takes a dozen instructions. */
#define LOOK_UP(set, hash, id, same)                                                  \
  do {                                                                                \
    const struct table *table_ = __atomic_load_n(&(set)->table, __ATOMIC_ACQUIRE);    \
    if (!table_) break;                                                               \
    uint32_t mask_ = table_->capacity - 1, at_ = (hash) & mask_;                      \
    uint64_t entry_;                                                                  \
    while ((entry_ = __atomic_load_n(&table_->entries[at_], __ATOMIC_ACQUIRE))) {     \
      id = (uint32_t)entry_;                                                          \
      if (entry_ >> 32 == (hash) && (same)) break;                                    \
      at_ = (at_ + 1) & mask_;                                                        \
    }                                                                                 \
    if (!entry_) id = 0;                                                              \
  } while (0)

/* Publishes element `id`, which is written already, in array and table, and returns it; 0 where nothing is kept. The
 * lock is held, and make_room returned true. */
static uint32_t publish(struct set *set, uint32_t id, uint32_t hash) {
  uint64_t entry = (uint64_t)hash << 32 | id;
  if (MH_UNLIKELY(!mh_store_publish(set->kind, id + 1))) return 0;
  struct table *larger = MH_GET(set->larger);
  if (MH_UNLIKELY(larger != NULL)) put(larger, entry);
  put(__atomic_load_n(&set->table, __ATOMIC_ACQUIRE), entry);
  return id;
}

/* The id for a new element, 0 if the store is full. The lock is held. */
static uint32_t new_id(struct set *set) {
  if (!make_room(set)) return 0;
  uint32_t next = MH_GET(set->next), count = mh_header()->arrays[set->kind].count, id = next > count ? next : count;
  if (!mh_store_reserve(set->kind, id + 1)) return 0;
  return __atomic_compare_exchange_n(&set->next, &next, id + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) ? id : 0;
}

static void fetch(const struct set *set, uint32_t hash) {
  const struct table *table = __atomic_load_n(&set->table, __ATOMIC_ACQUIRE);
  if (MH_LIKELY(table != NULL)) __builtin_prefetch(&table->entries[hash & (table->capacity - 1)]);
}
void mh_intern_fetch_node(uint32_t hash) {
  fetch(&nodes, hash);
}
void mh_intern_fetch_stack(uint32_t hash) {
  fetch(&stacks, hash);
}

uint32_t mh_intern_node(uint32_t parent, uint32_t frame, uint32_t hash) {
  uint32_t id = 0;
#define SAME_NODE (mh_node(id)->parent == parent && mh_node(id)->frame == frame)
  LOOK_UP(&nodes, hash, id, SAME_NODE);
  if (MH_LIKELY(id != 0)) return id;
  uint32_t self = mh_self_id();
  if (!mh_lock_acquire_or_steal(&nodes.lock, self)) return 0;
  LOOK_UP(&nodes, hash, id, SAME_NODE);
  if (!id && (id = new_id(&nodes))) {
    MH_ASSERT(parent < id && frame && frame < mh_header()->arrays[MH_KIND_FRAMES].count);
    *mh_node(id) = (struct mh_node){.parent = parent, .frame = frame};
    id = publish(&nodes, id, hash);
  }
  mh_lock_release_own(&nodes.lock, self);
  return id;
}

/* The malloc that precedes memhook's has called memhook's: it is a wrapper. This is noted here because it is the rarest
 * place that a call of malloc's hook reaches. */
static void note_passed_on(void) {
  if (MH_UNLIKELY(mh_header()->flags & MH_FLAG_BYPASSED) && (mh_tls.guard & MH_GUARD_HOOK) == MH_HOOK_HEAP)
    mh_store_bypassed(false);
}

uint32_t mh_intern_stack(uint32_t node, bool cut, uint32_t hash) {
  uint32_t flags = cut ? MH_STACK_FLAG_CUT : 0;
  uint32_t id = 0;
#define SAME_STACK (mh_stack(id)->node == node && mh_stack(id)->flags == flags)
  LOOK_UP(&stacks, hash, id, SAME_STACK);
  if (MH_LIKELY(id != 0)) return id;
  uint32_t self = mh_self_id();
  if (!node || !mh_lock_acquire_or_steal(&stacks.lock, self)) return 0;
  LOOK_UP(&stacks, hash, id, SAME_STACK);
  if (!id && (id = new_id(&stacks))) {
    MH_ASSERT(node < mh_header()->arrays[MH_KIND_NODES].count);
    mh_stack(id)->node = node;
    mh_stack(id)->flags = flags;
    id = publish(&stacks, id, hash);
    note_passed_on();
  }
  mh_lock_release_own(&stacks.lock, self);
  return id;
}

/* Where the functions of MH_HIDDEN (hook.h) are. The linker defines both, if there are any: not where a test has the
 * tables without the hooks. */
extern const char __start_mh_hidden[] __attribute__((weak, visibility("hidden")));
extern const char __stop_mh_hidden[] __attribute__((weak, visibility("hidden")));

uint32_t mh_intern_frame(uintptr_t pc, uint32_t flags) {
  if (MH_UNLIKELY(pc - (uintptr_t)__start_mh_hidden < (uintptr_t)(__stop_mh_hidden - __start_mh_hidden)))
    return MH_FRAME_HIDDEN;
  /* The return address of a call that does not return may be the first byte of the next function, or module. */
  const struct mh_module *module = mh_module_at(flags & MH_FRAME_FLAG_EXACT ? pc : pc - 1);
  uint32_t module_id = module ? module->id : 0;
  uint64_t offset = module_id ? pc - module->bias : pc;
  uint32_t hash = mh_hash_pair(offset, (uint64_t)module_id << 2 | flags);
  uint32_t id = 0;
#define SAME_FRAME (mh_frame(id)->offset == offset && mh_frame(id)->module == module_id && mh_frame(id)->flags == flags)
  LOOK_UP(&frames, hash, id, SAME_FRAME);
  if (MH_LIKELY(id != 0)) return id;
  uint32_t self = mh_self_id();
  if (!mh_lock_acquire_or_steal(&frames.lock, self)) return 0;
  LOOK_UP(&frames, hash, id, SAME_FRAME);
  if (!id && (id = new_id(&frames))) {
    *mh_frame(id) = (struct mh_frame){.offset = offset, .module = module_id, .flags = flags};
    id = publish(&frames, id, hash);
  }
  mh_lock_release_own(&frames.lock, self);
  return id;
}

void mh_intern_clone(void) {
  nodes.next = frames.next = stacks.next = 0;
  nodes.lock = frames.lock = stacks.lock = (struct mh_lock){0};
}

static void reset(struct set *set) {
  if (set->table) mh_munmap(set->table, table_bytes(set->table->capacity));
  if (set->larger && set->larger != set->table) mh_munmap(set->larger, table_bytes(set->larger->capacity));
  set->table = set->larger = NULL;
  set->next = 0;
  set->lock = (struct mh_lock){0};
}

void mh_intern_reset(void) {
  reset(&nodes);
  reset(&frames);
  reset(&stacks);
}
