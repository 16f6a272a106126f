/* The random numbers of the benchmark's programs: the same in every run. */
#pragma once
#include <stdint.h>

static inline uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}
