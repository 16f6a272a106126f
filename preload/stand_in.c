/* Standing in for the parent's store; see stand_in.h. */
#include "stand_in.h"

#include <sys/auxv.h>

#include "peek.h"
#include "store.h"
#include "sys.h"
#include "thread.h"

bool mh_stand_in;

static struct mh_tls *interrupted; /* of the thread that forked */

/* Zeros, which are the unknown element of every array: whatever the hook reads there is valid. */
static void map_zeros(uint8_t *block) {
  mh_syscall(SYS_mmap, (long)block, MH_BLOCK_BYTES, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void unmap(uint8_t *block) {
  mh_munmap(block, MH_BLOCK_BYTES);
}

static void each_block(void (*visit)(uint8_t *)) {
  for (uint32_t i = 0; i < MH_BLOCK_MAX_COUNT && mh_record_blocks[i]; i++) visit(mh_record_blocks[i]);
  for (uint32_t kind = 0; kind < MH_KIND_COUNT; kind++)
    for (uint32_t i = 0; i < MH_TABLE_BLOCKS && mh_table_blocks[kind][i]; i++) visit(mh_table_blocks[kind][i]);
}

void mh_stand_in_begin(void) {
  /* A child of such a child has a copy of what stands in already. */
  if (!mh_tls.guard || !mh_store || mh_stand_in) return;
  map_zeros(mh_store);
  each_block(map_zeros);
  mh_header()->page_bytes = (uint32_t)getauxval(AT_PAGESZ);
  interrupted = &mh_tls;
  mh_stand_in = true;
}

bool mh_stand_in_is_over(void) {
  if (!mh_stand_in || interrupted == &mh_tls) return true;
  /* The thread may have ended meanwhile, and its memory be gone. */
  uintptr_t guard;
  return !mh_peek(&guard, (uintptr_t)&interrupted->guard, sizeof(guard)) || !guard;
}

void mh_stand_in_end(void) {
  if (mh_stand_in && mh_store) unmap(mh_store);
  if (mh_stand_in) each_block(unmap);
  for (uint32_t i = 0; i < MH_BLOCK_MAX_COUNT && mh_record_blocks[i]; i++) mh_record_blocks[i] = NULL;
  for (uint32_t kind = 0; kind < MH_KIND_COUNT; kind++)
    for (uint32_t i = 0; i < MH_TABLE_BLOCKS && mh_table_blocks[kind][i]; i++) mh_table_blocks[kind][i] = NULL;
  mh_store = NULL;
  mh_stand_in = false;
}
