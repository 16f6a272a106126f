/* What the program frees while it exits: from the moment that main returns or exit() is called.
 *
 * It was live until then, and may be what its user looks for: a global container that grows is freed by its destructor.
 * So its record is kept. It loses its address, as any record that is removed, and is marked; its slot is not taken
 * again. There are at most as many of them as blocks were live.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../base/sys.h"
#include "../store/store.h"

/* The process begins to exit, if it has not yet. Within a hook. */
void mh_exiting_begin(void);

/* In a child of fork, which does not exit because its parent did. */
void mh_exiting_child(void);

/* Marks a record that has been removed meanwhile. False: its block came later, and the slot is free as ever. */
bool mh_exiting_keep(struct mh_record *record);

/* Puts the address of a removed record back: its block is not freed after all. */
static inline void mh_exiting_restore(struct mh_record *record, uint64_t address) {
  MH_SET(record->size, record->size & ~(1ull << MH_RECORD_FREED_IN_EXIT_SHIFT));
  __atomic_store_n(&record->address, address, __ATOMIC_RELEASE);
}
