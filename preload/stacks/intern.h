/* Interning: gives frames, stack nodes and stacks dense ids, equal things the same id. Each new one is published in the
 * store before its id is returned.
 *
 *     pc ──▶ frame id ─┐
 *                      ├─▶ node id (parent, frame) ──▶ … ──▶ stack id
 *     parent node id ──┘
 *
 * Lookups take no lock; an insertion takes a short bounded one. Every function returns 0 when the thing could not be
 * kept (the store is full, or the lock was not free in time). 0 is the "unknown" element of its array.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Frame for a program counter as found while unwinding, with its MH_FRAME_FLAGs. Depends on the modules loaded now. */
uint32_t mh_intern_frame(uintptr_t pc, uint32_t flags);

/* Instead, for one of memhook's own below main or in exit: no stack has it. */
#define MH_FRAME_HIDDEN UINT32_MAX

/* The hash of a node or stack is computed from its parent's hash, and not from its parent's id. So all hashes of a walk
 * are known, and their places can be fetched at once, before the first is looked up. Without a parent, its hash is
 * 0. */
static inline uint32_t mh_hash_pair(uint64_t a, uint64_t b) {
  uint64_t hash = (a ^ b * 0xff51afd7ed558ccdu) * 0x9e3779b97f4a7c15u;
  return (uint32_t)(hash ^ hash >> 32);
}
static inline uint32_t mh_node_hash(uint32_t parent_hash, uint32_t frame) {
  return mh_hash_pair(parent_hash, frame);
}
static inline uint32_t mh_stack_hash(uint32_t node_hash, bool cut) {
  return mh_hash_pair(node_hash, cut);
}

/* Have the processor fetch the place of a node or stack. */
void mh_intern_fetch_node(uint32_t hash);
void mh_intern_fetch_stack(uint32_t hash);

/* Node for `frame` called from `parent` (0: outermost), with its hash. Touches shared memory only for a new node. */
uint32_t mh_intern_node(uint32_t parent, uint32_t frame, uint32_t hash);

/* Stack whose innermost frame is `node`, with its hash. `cut`: outer frames are missing because of the depth limit. */
uint32_t mh_intern_stack(uint32_t node, bool cut, uint32_t hash);

/* In a child of fork that goes on with its parent's stacks: frees the locks that other threads held. */
void mh_intern_clone(void);

/* In a child of fork that starts with an empty store: forgets everything. */
void mh_intern_reset(void);
