/* Early memory: a small static buffer for allocations that happen while the functions behind the hooks are looked up.
 * The lookup itself allocates. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MH_EARLY_BYTES 65536
extern uint8_t mh_early[MH_EARLY_BYTES];
void *mh_early_allocate(size_t size, size_t alignment);
size_t mh_early_size(const void *block);
static inline bool mh_early_owns(const void *block) {
  return (uintptr_t)block - (uintptr_t)mh_early < MH_EARLY_BYTES;
}
