/* Whether this is a child of fork that has not begun yet. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What `recording` is. */
enum {
  MH_RECORDING_ALL = 1,
  MH_RECORDING_SAMPLE = 2,
};

/* On a page that the kernel fills with zeros in every child of fork, whatever made the child. */
struct mh_alive {
  uint32_t recording; /* 0 in a child until it has begun */
  uint32_t own_store; /* 0 in a child until it has forgotten its parent's store */
};
extern struct mh_alive *mh_alive;

/* True in a child, from the fork until the child begins. Until then nothing is published, and the store does not grow.
 * A signal handler may fork, so this may become true between any two instructions of a hook. */
static inline bool mh_stands_in(void) {
  __atomic_signal_fence(__ATOMIC_SEQ_CST);
  return !__atomic_load_n(&mh_alive->own_store, __ATOMIC_RELAXED);
}

/* Called once, when memhook begins to record. A child that calls no hook does no work for it. False: no memory. */
bool mh_alive_watch(void);

/* In a child that was told of the fork. */
void mh_alive_forked(void);
