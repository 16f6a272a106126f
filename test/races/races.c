/* Do the library's tables hold when many threads use them at once? Compiled with ThreadSanitizer, with the library's
 * own sources in an ordinary executable; run.sh does that.
 *
 *     races ROUNDS        THREADS threads at a time, GENERATIONS times: states are handed from dead threads to new ones
 *
 * Every thread allocates, frees, reallocates and passes blocks to others, in the order in which the hooks call the
 * library; besides it interns frames and nodes, looks rules up, splits mappings, and one
 * thread has the modules read again and again. With MEMHOOK_NET_HOST the sender, which
 * reads all tables while they change, runs too, on a thread that ThreadSanitizer knows.
 *
 * Then everything is counted, exactly:
 * - each block that is live is found by its address, and its record says what was recorded; no record is left over;
 * - each slot of the records array is live, or free in exactly one thread, batch or run, or waits to be given back;
 * - what threads counted, what stacks counted, and what is live, agree; for each stack, too;
 * - each frame, node and stack is there once, refers only to what was there
 * before it, and had the same id for everyone;
 * - a rule that is found is the right one.
 *
 * ThreadSanitizer then says whether there was a race. What it does not see, and why that is none:
 * - A viewer reads the file, not this memory, by positional reads; what it accepts is told in ARCHITECTURE.md.
 * - Pages of outgrown tables that are given back to the kernel (MADV_DONTNEED)
 * under a reader: it finds zeros, which is a miss.
 * - Rules are exchanged by one 16-byte instruction in assembly. Readers load key, rule and key again, atomically.
 * - mh_count_flush_all, at the end of the process, flushes the counts of threads that still run, as nobody can stop
 *   them. What such a thread counts at that very moment may be missing in peak and stack totals. Live records are not
 *   concerned. It is not called here before all threads have ended.
 *
 * Helgrind is no help: it replaces malloc, so that the hooks are never called; told not to
 * (--soname-synonyms=somalloc=nouserintercepts) it runs, but knows no atomics, and calls each of them a race.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* With its own variables in reach. */
#include "../../preload/records/records.c"
#include "../../preload/records/slots.c"

#include "../../preload/hooks/enter.h"
#include "../../preload/index/index.h"
#include "../../preload/stacks/intern.h"
#include "../../preload/stacks/modules.h"
#include "../../preload/records/mappings.h"
#include "../../preload/unwind/rule_table.h"
#include "races.h"

#define THREADS 6
#define GENERATIONS 5
#define BLOCKS 300    /* that a thread holds at most, of each kind */
#define MAILBOXES 2048 /* for blocks that another thread frees */
#define TREE 4000     /* nodes that all threads intern */
#define ROWS 3000
#define CELLS 240     /* 8-byte blocks in a row, in turn the threads' */

/* As mh_hook_forget, whose header declares what libc's headers declare otherwise. */
static void forget(const void *block) {
  mh_enter(MH_HOOK_WRAP);
  mh_begin();
  mh_record_heap_free(block);
  mh_finish();
  mh_leave();
}

static unsigned faults;

static __attribute__((format(printf, 1, 2))) void fault(const char *format, ...) {
  if (__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED) > 20) return;
  va_list arguments;
  va_start(arguments, format);
  fputs("wrong: ", stdout);
  vprintf(format, arguments);
  putchar('\n');
  va_end(arguments);
}

/* ── What the hooks do ────────────────────────────────────────────────────────────────────────── */

struct block {
  uint8_t *start;
  uint64_t size;
};

/* Records from `depth` calls further in, so that stacks differ. */
static __attribute__((noinline)) void record(void *block, uint64_t size, bool custom, unsigned depth) {
  if (depth % 8) {
    /* Two calls, two return addresses. */
    if (depth & 8)
      record(block, size, custom, depth - 1);
    else
      record(block, size, custom, (depth >> 1) - (depth >> 1 & 7) + depth % 8 - 1);
    __asm__ volatile("" ::: "memory");
    return;
  }
  mh_enter(MH_HOOK_HEAP);
  struct mh_entry entry = MH_ENTRY();
  mh_begin();
  if (!custom) {
    mh_record_and_leave(block, size, entry.pc, entry.sp, entry.fp);
    return;
  }
  mh_record_custom_allocation(block, size, &entry);
  mh_finish();
  mh_leave();
}

static struct block allocate(uint64_t size, unsigned depth) {
  struct block block = {malloc(size), size};
  record(block.start, size, false, depth);
  return block;
}

/* A block that was recorded, but is no ordinary one. */
static void free_slow(void *block) {
  mh_record_heap_free(block);
  mh_finish();
  mh_leave();
  free(block);
}

static void give_back(struct block block) {
  mh_enter(MH_HOOK_WRAP);
  mh_begin();
  mh_forget_and_leave(block.start, free, free_slow);
}

static __attribute__((noinline)) struct block resize(struct block block, uint64_t size) {
  mh_enter(MH_HOOK_HEAP);
  struct mh_entry entry = MH_ENTRY();
  mh_begin();
  struct mh_taken taken = mh_record_take(block.start);
  mh_finish();
  if (!taken.slot) fault("a block of %lu bytes has no record", block.size);
  if (taken.size != block.size) fault("a record of %lu bytes for a block of %lu", taken.size, block.size);
  if (size % 7 == 0) {
    mh_record_restore(block.start, &taken);
  } else {
    block = (struct block){realloc(block.start, size), size};
    mh_begin();
    mh_record_moved(block.start, size, &taken, &entry);
    mh_finish();
  }
  mh_leave();
  return block;
}

/* As a signal handler does that interrupts our bookkeeping. */
static void give_back_nested(struct block block) {
  mh_enter(MH_HOOK_HEAP);
  mh_begin();
  mh_record_free_nested(block.start);
  mh_finish();
  mh_leave();
  free(block.start);
}

/* ── The threads ──────────────────────────────────────────────────────────────────────────────── */

struct worker {
  pthread_t thread;
  unsigned number, generation;
  uint64_t random;
  /* Kept from one generation to the next. */
  struct block blocks[BLOCKS], customs[BLOCKS];
  uint64_t mappings[64]; /* pages that are mapped, one bit each */
  bool cells[CELLS / THREADS];
};

static struct worker workers[THREADS];
static unsigned rounds;
static pthread_barrier_t start;
static struct block *mailboxes[MAILBOXES];
static uint32_t tree_ids[TREE]; /* as the first thread had them */
static uint64_t cells[CELLS];

static uint64_t draw(struct worker *me, uint64_t below) {
  me->random ^= me->random << 13;
  me->random ^= me->random >> 7;
  me->random ^= me->random << 17;
  return me->random % below;
}

static uint64_t some_size(struct worker *me) {
  return draw(me, 50) ? 1 + draw(me, 700) : MH_INDEX_LARGE_BYTES + draw(me, 10000);
}

/* Odd threads make blocks, even ones free them: so slots of records wander in whole bundles. The handing over is the
 * program's, and synchronises as a program must. */
static void pass(struct worker *me) {
  struct block *parcel = NULL;
  if (me->number & 1) {
    parcel = malloc(sizeof *parcel);
    *parcel = allocate(some_size(me), (unsigned)draw(me, 64));
  }
  parcel = __atomic_exchange_n(&mailboxes[draw(me, MAILBOXES)], parcel, __ATOMIC_ACQ_REL);
  if (!parcel) return;
  /* What lies in the overflow table, behind a lock, a signal handler leaves alone. */
  if (parcel->size < MH_INDEX_LARGE_BYTES && draw(me, 2))
    give_back_nested(*parcel);
  else
    give_back(*parcel);
  free(parcel);
}

static uintptr_t mapping_of(const struct worker *me, unsigned page) {
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

static void use_rows(struct worker *me) {
  uint64_t pc = 0x400000 + draw(me, ROWS) * 5;
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

/* Blocks of 8 bytes, side by side: two in each granule, of two threads. */
static void use_cells(struct worker *me) {
  uint64_t mine = draw(me, CELLS / THREADS);
  uint64_t *cell = &cells[mine * THREADS + me->number];
  if (me->cells[mine])
    forget(cell);
  else
    record(cell, 8, false, 0);
  me->cells[mine] = !me->cells[mine];
}

/* A module that comes and goes: this program, mapped once more, of the size that the maps then show. */
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

static void *work(void *argument) {
  struct worker *me = argument;
  uint32_t hash;
  pthread_barrier_wait(&start);
  /* All of them make the same nodes at the same time. */
  for (uint32_t i = 0; i < TREE / 2 / GENERATIONS; i++)
    intern_tree(me->generation * (TREE / 2 / GENERATIONS) + i, &hash);
  for (unsigned round = 0; round < rounds; round++) {
    struct block *block = &me->blocks[draw(me, BLOCKS)], *custom = &me->customs[draw(me, BLOCKS)];
    switch (draw(me, 12)) {
      case 0:
        use_mappings(me);
        break;
      case 1:
        for (unsigned i = 0; i < 40; i++) use_rows(me);
        break;
      case 2:
        for (unsigned i = 0; i < 4; i++) intern_tree((uint32_t)draw(me, TREE), &hash);
        break;
      case 3:
        if (custom->start) {
          mh_enter(MH_HOOK_HEAP);
          mh_begin();
          mh_record_custom_free(custom->start);
          mh_finish();
          mh_leave();
          free(custom->start);
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

/* ── Counting ─────────────────────────────────────────────────────────────────────────────────── */

/* What is live: the records that there must be, by slot. */
static uint8_t *owned;
static uint64_t live_count, live_bytes;

static void expect(uint64_t key, uint64_t address, uint64_t size, unsigned kind) {
  uint32_t slot = kind == MH_MEMORY_MMAP ? (uint32_t)key : mh_index_peek(key);
  live_count++;
  live_bytes += size;
  if (!slot) {
    fault("no record for 0x%lx", address);
    return;
  }
  const struct mh_record *found = mh_record(slot);
  if (owned[slot]++) fault("slot %u has two owners", slot);
  if (found->address != address || mh_record_size(found) != size || found->size >> MH_RECORD_KIND_SHIFT != kind)
    fault("slot %u is of 0x%lx, %lu bytes, not of 0x%lx, %lu bytes", slot, found->address, mh_record_size(found),
        address, size);
}

/* Mapped pages: whatever the pieces that they are recorded in, they are covered once. */
static void expect_mappings(const struct worker *me) {
  uint64_t seen[64] = {0};
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  for (uint32_t slot = 1; slot < count; slot++) {
    const struct mh_record *found = mh_record(slot);
    uint64_t size = mh_record_size(found);
    if (!found->address || found->size >> MH_RECORD_KIND_SHIFT != MH_MEMORY_MMAP ||
        found->address < mapping_of(me, 0) || found->address >= mapping_of(me, 64 * 64))
      continue;
    expect(slot, found->address, size, MH_MEMORY_MMAP);
    for (uint64_t page = (found->address - mapping_of(me, 0)) / 4096, end = page + size / 4096; page < end; page++) {
      if (seen[page / 64] >> page % 64 & 1) fault("page %lu is in two mappings", page);
      seen[page / 64] |= 1ull << page % 64;
    }
  }
  if (memcmp(seen, me->mappings, sizeof seen) != 0) fault("mappings of thread %u", me->number);
}

static void count_free_slots(struct mh_thread *thread) {
  for (uint32_t i = 0; i < thread->free_count; i++)
    if (owned[thread->free_slots[MH_FETCHED + i]]++)
      fault("slot %u is free twice, or not free", thread->free_slots[MH_FETCHED + i]);
  for (uint32_t slot = thread->run_next; slot < thread->run_end; slot++)
    if (owned[slot]++) fault("slot %u is in a run and elsewhere", slot);
  for (uint32_t i = 0; i < thread->freed_count; i++)
    if (owned[thread->freed[i].slot]++)
      fault("slot %u waits to be given back, and is elsewhere", thread->freed[i].slot);
}

static void check_records(void) {
  uint32_t count = mh_header()->arrays[MH_KIND_RECORDS].count;
  owned = calloc(count, 1);
  for (unsigned i = 0; i < THREADS; i++) {
    struct worker *me = &workers[i];
    for (unsigned k = 0; k < BLOCKS; k++) {
      if (me->blocks[k].start)
        expect((uintptr_t)me->blocks[k].start, (uintptr_t)me->blocks[k].start, me->blocks[k].size, MH_MEMORY_HEAP);
      if (me->customs[k].start)
        expect(key_of(me->customs[k].start), (uintptr_t)me->customs[k].start, me->customs[k].size, MH_MEMORY_CUSTOM);
    }
    for (unsigned k = 0; k < CELLS / THREADS; k++)
      if (me->cells[k])
        expect((uintptr_t)&cells[k * THREADS + i], (uintptr_t)&cells[k * THREADS + i], 8, MH_MEMORY_HEAP);
    expect_mappings(me);
  }
  for (unsigned i = 0; i < MAILBOXES; i++)
    if (mailboxes[i])
      expect((uintptr_t)mailboxes[i]->start, (uintptr_t)mailboxes[i]->start, mailboxes[i]->size, MH_MEMORY_HEAP);
  for (uint32_t slot = 1; slot < count; slot++)
    if (mh_record(slot)->address && !owned[slot]) fault("slot %u is live, of nobody", slot);

  mh_thread_each(count_free_slots);
  uint32_t batch[BATCH_SLOTS];
  for (batch[0] = (uint32_t)free_list; batch[0]; batch[0] = mh_record(batch[0])->stack) {
    unpack_batch(batch);
    for (unsigned i = 0; i < BATCH_SLOTS; i++)
      if (owned[batch[i]]++) fault("slot %u is in a batch and elsewhere", batch[i]);
  }
  uint32_t lost = 0;
  for (uint32_t slot = 1; slot < count; slot++) lost += !owned[slot];
  if (lost) fault("%u slots of %u are neither live nor free", lost, count);
}

static void check_counts(void) {
  mh_count_flush_all();
  const struct mh_thread_slot *slots = mh_thread_slots();
  uint64_t made = 0, freed = 0, made_bytes = 0, freed_bytes = 0;
  for (uint32_t i = 0; i < mh_header()->thread_slots; i++) {
    made += slots[i].allocations;
    freed += slots[i].frees;
    made_bytes += slots[i].allocated_bytes;
    freed_bytes += slots[i].freed_bytes;
  }
  if (made - freed != live_count) fault("threads counted %lu live, not %lu", made - freed, live_count);
  if (made_bytes - freed_bytes != live_bytes)
    fault("threads counted %lu bytes live, not %lu", made_bytes - freed_bytes, live_bytes);
  if ((uint64_t)mh_count_live() != live_count)
    fault("%ld are live by the threads' counts, not %lu", mh_count_live(), live_count);

  uint32_t count = mh_header()->arrays[MH_KIND_STACKS].count;
  struct mh_amount *live = calloc(count, sizeof *live);
  for (uint32_t slot = 1; slot < mh_header()->arrays[MH_KIND_RECORDS].count; slot++) {
    const struct mh_record *found = mh_record(slot);
    if (!found->address) continue;
    live[found->stack].count++;
    live[found->stack].bytes += mh_record_size(found);
  }
  if (live[0].count) fault("%lu records without a stack", live[0].count);
  for (uint32_t id = 1; id < count; id++) {
    const struct mh_stack *stack = mh_stack(id);
    if (stack->allocations - stack->frees != live[id].count
        || stack->allocated_bytes - stack->freed_bytes != live[id].bytes)
      fault("stack %u counted %lu live, %lu bytes, not %lu and %lu", id, stack->allocations - stack->frees,
            stack->allocated_bytes - stack->freed_bytes, live[id].count, live[id].bytes);
  }
  printf("%lu allocations, %lu live with %lu bytes in %u stacks, %u threads' states\n", made, live_count, live_bytes,
      count - 1,
         mh_header()->thread_slots - 1);
}

static int by_bytes(const void *a, const void *b) {
  return memcmp(a, b, 16);
}

/* Whether two of the elements, 16 bytes of each, are the same. */
static void check_once(const char *what, uint64_t (*elements)[2], uint32_t count) {
  qsort(elements, count, sizeof *elements, by_bytes);
  for (uint32_t i = 1; i < count; i++)
    if (memcmp(elements[i - 1], elements[i], sizeof *elements) == 0) fault("a %s is there twice", what);
}

static void check_interned(void) {
  const struct mh_array *arrays = mh_header()->arrays;
  uint32_t frames = arrays[MH_KIND_FRAMES].count, nodes = arrays[MH_KIND_NODES].count,
      stacks = arrays[MH_KIND_STACKS].count;
  uint64_t(*elements)[2] = calloc(frames + nodes + stacks, sizeof *elements);
  for (uint32_t id = 1; id < frames; id++)
    memcpy(elements[id - 1], &(uint64_t[2]){mh_frame(id)->offset,
        (uint64_t)mh_frame(id)->module << 32 | mh_frame(id)->flags}, 16);
  check_once("frame", elements, frames - 1);
  for (uint32_t id = 1; id < nodes; id++) {
    if (mh_node(id)->parent >= id) fault("node %u comes before its parent %u", id, mh_node(id)->parent);
    if (!mh_node(id)->frame || mh_node(id)->frame >= frames) fault("node %u has no frame", id);
    memcpy(elements[id - 1], &(uint64_t[2]){mh_node(id)->parent, mh_node(id)->frame}, 16);
  }
  check_once("node", elements, nodes - 1);
  for (uint32_t id = 1; id < stacks; id++) {
    if (!mh_stack(id)->node || mh_stack(id)->node >= nodes) fault("stack %u has no node", id);
    memcpy(elements[id - 1], &(uint64_t[2]){mh_stack(id)->node, mh_stack(id)->flags}, 16);
  }
  check_once("stack", elements, stacks - 1);
  printf("%u frames, %u nodes, %u modules\n", frames - 1, nodes - 1, arrays[MH_KIND_MODULES].count - 1);
}

int main(int count, char **words) {
  rounds = count > 1 ? (unsigned)atoi(words[1]) : 1000;
  if (!mh_alive->recording) {
    puts("wrong: no store");
    return 1;
  }
  /* Nothing is recorded yet. The blocks are ThreadSanitizer's, 16 bytes apart, not glibc's; and the cells 8 bytes. */
  mh_granule_bits = 4;
  mh_index_no_grid();
  pthread_barrier_init(&start, NULL, THREADS);
  for (unsigned generation = 0; generation < GENERATIONS; generation++) {
    for (unsigned i = 0; i < THREADS; i++) {
      workers[i].number = i;
      workers[i].generation = generation;
      workers[i].random += 0x9e3779b97f4a7c15u * (i + 1);
      pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
  }
  if (mh_settings.net_host) {
    uint64_t flushes = races_end_sender();
    if (!flushes) fault("memdb acknowledged nothing");
    printf("memdb acknowledged %lu flushes\n", flushes);
  }
  check_records();
  check_counts();
  check_interned();
  if (mh_header()->dropped) fault("%lu dropped", mh_header()->dropped);
  if (!faults) puts("right");
  return faults != 0;
}
