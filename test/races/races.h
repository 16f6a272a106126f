/* What the files of this test share. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define THREADS 6
#define GENERATIONS 5
#define BLOCKS 300     /* most that a thread holds, of each kind */
#define MAILBOXES 2048 /* for blocks that another thread frees */
#define CELLS 240      /* blocks of 8 bytes side by side, in turn the threads' */

struct block {
  uint8_t *start;
  uint64_t size;
};

struct worker {
  pthread_t thread;
  unsigned number, generation;
  uint64_t random;
  /* Kept from one generation to the next. */
  struct block blocks[BLOCKS], customs[BLOCKS];
  uint64_t mappings[64]; /* the pages that are mapped, one bit each */
  bool cells[CELLS / THREADS];
};

/* In races.c. */
extern unsigned rounds;
extern pthread_barrier_t barrier;
extern struct worker workers[THREADS];
extern struct block *mailboxes[MAILBOXES];
extern uint64_t cells[CELLS];

/* Notes that something is wrong. */
void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* In calls.c: calls of the library, in the order in which the hooks make them. `depth`: from so many calls further in,
 * so that stacks differ. */
void record(void *block, uint64_t size, bool custom, unsigned depth);
void forget(const void *block);
struct block allocate(uint64_t size, unsigned depth);
struct block resize(struct block block, uint64_t size);
void give_back(struct block block);
void give_back_nested(struct block block);
void give_back_custom(struct block block);

/* In workers.c: what a thread does, and the address of one of its mapped pages. */
void *work(void *worker);
uintptr_t mapping_of(const struct worker *worker, unsigned page);

/* In checks.c: whether the tables are right, when all threads have ended. */
void check_records(void);
void check_counts(void);
void check_interned(void);

/* In sender.c: has the sender make its last flush. Returns how many memdb has acknowledged; 0 without memdb. */
uint64_t races_end_sender(void);
