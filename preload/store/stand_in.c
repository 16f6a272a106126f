/* Standing in for the parent's store; see stand_in.h. */
#include "stand_in.h"

#include "../base/peek.h"
#include "format.h"
#include "../base/sys.h"
#include "../base/self.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static bool told;                  /* of the fork that made this child */
static bool mapped;                /* what stands in */
static struct mh_tls *interrupted; /* of the thread that forked; NULL: it was in no hook, or nobody knows */

uint8_t *mh_stand_in_place(void) {
  size_t page = mh_page_bytes(), bytes = MH_BLOCK_BYTES + 2 * page;
  uint8_t *place = mh_map(bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (!place) return NULL;
  uint8_t *above = place + page + MH_BLOCK_BYTES;
  const int flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_GROWSDOWN;
  if (mh_syscall(SYS_mmap, (long)above, (long)page, PROT_READ | PROT_WRITE, flags, -1, 0) == (long)above)
    return place + page;
  mh_munmap(place, bytes);
  return NULL;
}

void mh_stand_in_give_place(uint8_t *block) {
  size_t page = mh_page_bytes();
  mh_munmap(block - page, MH_BLOCK_BYTES + 2 * page);
}

/* Maps zeros, the unknown element of every array: whatever the hook reads there is valid. The block may exist already,
 * because the page above it has grown. Then the call fails; before Linux 4.17 it maps another address instead. */
static void map_zeros(uint8_t *block) {
  const int flags = MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  long at = mh_syscall(SYS_mmap, (long)block, MH_BLOCK_BYTES, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (at != (long)block && (at > 0 || at < -4095)) mh_munmap((void *)at, MH_BLOCK_BYTES);
}

static void each_block(void (*visit)(uint8_t *)) {
  if (mh_store) visit(mh_store);
  for (uint32_t i = 0; i < MH_BLOCK_MAX_COUNT && mh_record_blocks[i]; i++) visit(mh_record_blocks[i]);
  for (uint32_t kind = 0; kind < MH_KIND_COUNT; kind++)
    for (uint32_t i = 0; i < MH_TABLE_BLOCKS && mh_table_blocks[kind][i]; i++) visit(mh_table_blocks[kind][i]);
}

static void begin(void) {
  /* A child of such a child has inherited the memory that stands in. */
  if (mapped) return;
  each_block(map_zeros);
  interrupted = &mh_tls;
  mapped = true;
}

void mh_stand_in_forked(void) {
  told = true;
  if (mh_tls.guard && mh_store) begin();
}

/* A child's first thread is the one that has forked. */
static bool is_first_thread(void) {
  return mh_gettid() == mh_getpid();
}

bool mh_stand_in_is_there(void) {
  if (!mh_stands_in() || !mh_store || (!mapped && !is_first_thread())) return false;
  begin();
  return true;
}

bool mh_stand_in_is_over(void) {
  if (interrupted == &mh_tls) return true;
  if (!interrupted) return told || is_first_thread();
  /* The thread may have ended meanwhile, and its memory may be unmapped. */
  uintptr_t guard;
  return !mh_peek(&guard, (uintptr_t)&interrupted->guard, sizeof(guard)) || !guard;
}

void mh_stand_in_end(void) {
  each_block(mh_stand_in_give_place);
  for (uint32_t i = 0; i < MH_BLOCK_MAX_COUNT && mh_record_blocks[i]; i++) mh_record_blocks[i] = NULL;
  for (uint32_t kind = 0; kind < MH_KIND_COUNT; kind++)
    for (uint32_t i = 0; i < MH_TABLE_BLOCKS && mh_table_blocks[kind][i]; i++) mh_table_blocks[kind][i] = NULL;
  mh_store = NULL;
  told = mapped = false;
  interrupted = NULL;
  MH_SET(mh_alive->own_store, 1);
}
