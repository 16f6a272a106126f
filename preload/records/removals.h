/* Why the removal of a record is more than that: after a fork, and while the process exits. */
#pragma once
#include <stdint.h>

/* Bits. 0 nearly always, and the hot path asks for nothing else. */
#define MH_REMOVALS_FORK_LOG 1u /* a child of fork may still want the record; see fork_log.h */
#define MH_REMOVALS_EXITING 2u  /* it was live when the process began to exit; see exiting.h */
extern uint32_t mh_removals;

static inline void mh_removals_want(uint32_t why) {
  __atomic_fetch_or(&mh_removals, why, __ATOMIC_SEQ_CST);
}
static inline void mh_removals_want_no_more(uint32_t why) {
  __atomic_fetch_and(&mh_removals, ~why, __ATOMIC_SEQ_CST);
}
