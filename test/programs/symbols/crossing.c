// The second translation unit of the C program: with link-time optimization these functions are inlined into calls.c,
// so that an inlined call's name is in another unit of the debug information.

#include <stdint.h>

static uint64_t turn(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

uint64_t crossing(uint64_t x) {
  uint64_t sum = 0;
  for (int i = 1; i < 9; i++) sum += turn(x, i) ^ turn(sum, 63 - i);
  return sum;
}
