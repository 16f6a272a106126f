/* The threads: each uses all of the library's tables, in random order. */
#include <stdlib.h>

#include "../../preload/hooks/enter.h"
#include "../../preload/index/index.h"
#include "../../preload/records/mappings.h"
#include "../../preload/stacks/intern.h"
#include "../../preload/stacks/modules.h"
#include "../../preload/unwind/rule_table.h"
#include "races.h"

#define TREE 4000 /* nodes that all threads intern */
#define RULES 3000

static uint32_t tree_ids[TREE]; /* as the first thread got them */

static uint64_t draw(struct worker *me, uint64_t below) {
  me->random ^= me->random << 13;
  me->random ^= me->random >> 7;
  me->random ^= me->random << 17;
  return me->random % below;
}

static uint64_t some_size(struct worker *me) {
  return draw(me, 50) ? 1 + draw(me, 700) : MH_INDEX_LARGE_BYTES + draw(me, 10000);
}

/* Odd threads allocate blocks, even threads free them. So slots of records move to other threads in whole batches. The
 * blocks are passed with the synchronization that a program needs. */
static void pass(struct worker *me) {
  struct block *parcel = NULL;
  if (me->number & 1) {
    parcel = malloc(sizeof *parcel);
    *parcel = allocate(some_size(me), (unsigned)draw(me, 64));
  }
  parcel = __atomic_exchange_n(&mailboxes[draw(me, MAILBOXES)], parcel, __ATOMIC_ACQ_REL);
  if (!parcel) return;
  /* A signal handler does not touch the overflow table, which has locks. */
  if (parcel->size < MH_INDEX_LARGE_BYTES && draw(me, 2))
    give_back_nested(*parcel);
  else
    give_back(*parcel);
  free(parcel);
}

uintptr_t mapping_of(const struct worker *me, unsigned page) {
  return 0x600000000000 + ((uintptr_t)me->number << 32) + page * 4096ul;
}

static void use_mappings(struct worker *me) {
  unsigned first = (unsigned)draw(me, 60), count = 1 + (unsigned)draw(me, 4);
  uint64_t row = draw(me, 64), mask = ((1ull << count) - 1) << first;
  uintptr_t start = mapping_of(me, (unsigned)row * 64 + first);
  mh_enter(MH_HOOK_MAP);
  struct mh_entry entry = MH_ENTRY();
  mh_begin();
  struct mh_split split;
  mh_mapping_split(start, count * 4096, &split);
  switch (draw(me, 3)) {
    case 0:
      mh_mapping_restore(&split);
      break;
    case 1:
      me->mappings[row] &= ~mask;
      break;
    default:
      mh_mapping_add(start, count * 4096, true, &entry);
      me->mappings[row] |= mask;
  }
  mh_finish();
  mh_leave();
}

static uint64_t rule_for(uint64_t pc) {
  return (pc * 0x9e3779b97f4a7c15u & MH_RULE_MASK) | 1;
}

static void use_rules(struct worker *me) {
  uint64_t pc = 0x400000 + draw(me, RULES) * 5;
  uint32_t generation = 3 + (uint32_t)draw(me, 2);
  uint64_t key = mh_rule_key(pc & ~3ul, MH_USE_EXACT, generation), rule = mh_rule_find(key);
  if (rule && (rule & MH_RULE_MASK) != rule_for(key)) fault("a rule of another program counter");
  if (!rule) mh_rule_insert(key, rule_for(key));
}

/* Frame and node `number` of the tree that all threads intern. A node's parent has a lower number. */
static uint32_t intern_tree(uint32_t number, uint32_t *hash) {
  static const char text[1024];
  uint32_t frame = mh_intern_frame((uintptr_t)text + number % 500, number & 1);
  *hash = 0;
  uint32_t parent = number < 20 ? 0 : intern_tree(number / 3, hash);
  *hash = mh_node_hash(*hash, frame);
  uint32_t node = mh_intern_node(parent, frame, *hash),
      stack = mh_intern_stack(node, number & 4, mh_stack_hash(*hash, number & 4));
  if (!frame || !node || !stack) fault("not interned");
  uint32_t expected = 0;
  if (!__atomic_compare_exchange_n(&tree_ids[number], &expected, node, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
      && expected != node)
    fault("node %u has the ids %u and %u", number, expected, node);
  return node;
}

/* Blocks of 8 bytes side by side: two threads have one each in a granule. */
static void use_cells(struct worker *me) {
  uint64_t mine = draw(me, CELLS / THREADS);
  uint64_t *cell = &cells[mine * THREADS + me->number];
  if (me->cells[mine])
    forget(cell);
  else
    record(cell, 8, false, 0);
  me->cells[mine] = !me->cells[mine];
}

/* Loads and unloads a module: this program's file, mapped once more. */
static void load_and_unload(void) {
  static void *mapped;
  enum { BYTES = 1 << 20 };
  if (!mapped) {
    int fd = mh_open("/proc/self/exe", O_RDONLY | O_CLOEXEC, 0);
    mapped = mmap(NULL, BYTES, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    mh_close(fd);
  } else {
    munmap(mapped, BYTES);
    mapped = NULL;
  }
  mh_modules_refresh();
}

void *work(void *argument) {
  struct worker *me = argument;
  uint32_t hash;
  pthread_barrier_wait(&barrier);
  /* All threads make the same nodes at the same time. */
  for (uint32_t i = 0; i < TREE / 2 / GENERATIONS; i++)
    intern_tree(me->generation * (TREE / 2 / GENERATIONS) + i, &hash);
  for (unsigned round = 0; round < rounds; round++) {
    struct block *block = &me->blocks[draw(me, BLOCKS)], *custom = &me->customs[draw(me, BLOCKS)];
    switch (draw(me, 12)) {
      case 0:
        use_mappings(me);
        break;
      case 1:
        for (unsigned i = 0; i < 40; i++) use_rules(me);
        break;
      case 2:
        for (unsigned i = 0; i < 4; i++) intern_tree((uint32_t)draw(me, TREE), &hash);
        break;
      case 3:
        if (custom->start) {
          give_back_custom(*custom);
          custom->start = NULL;
        } else {
          *custom = (struct block){malloc(100), 1 + draw(me, 100)};
          record(custom->start, custom->size, true, 3);
        }
        break;
      case 4:
        for (unsigned i = 0; i < 40; i++) use_cells(me);
        break;
      case 5:
        if (block->start) *block = resize(*block, 1 + draw(me, 3000));
        break;
      case 6:
        for (unsigned i = 0; i < 100; i++) pass(me);
        break;
      case 7:
        if (me->number == 0 && draw(me, 100) == 0) {
          load_and_unload();
        }
        break;
      default:
        if (block->start) give_back(*block);
        *block = allocate(some_size(me), (unsigned)draw(me, 512));
    }
  }
  races_thread_ends();
  return NULL;
}
