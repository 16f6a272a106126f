/* Sampling; see sample.h. */
#include "sample.h"

#include "../base/clock.h"
#include "../base/sys.h"

/* −ln of a number in (0, 1], to eight digits: −ln(m · 2^e), with the series of artanh for the mantissa. No libm: the
 * library depends on nothing but libc. */
static double minus_log(double number) {
  union {
    double value;
    uint64_t bits;
  } parts = {.value = number};
  int exponent = (int)(parts.bits >> 52 & 0x7ff) - 1022;
  parts.bits = (parts.bits & 0x000fffffffffffff) | 0x3fe0000000000000; /* [0.5, 1) */
  double mantissa = parts.value;
  if (mantissa < 0.70710678118654752) {
    mantissa *= 2;
    exponent--;
  }
  double z = (mantissa - 1) / (mantissa + 1), square = z * z;
  double series = 2 * z * (1 + square * (1.0 / 3 + square * (1.0 / 5 + square * (1.0 / 7 + square * (1.0 / 9)))));
  return -(series + exponent * 0.69314718055994531);
}

/* A seed that differs between all threads of all processes, and is not 0. */
static uint64_t new_seed(const struct mh_tls *tls) {
  uint64_t seed = (uint64_t)mh_gettid() * 0x9e3779b97f4a7c15u ^ mh_clock_read(CLOCK_MONOTONIC) ^ (uintptr_t)tls;
  return seed ? seed : 1;
}

/* A number in (0, 1] with 53 random bits; xorshift64*, one for each thread. */
static double random_unit(struct mh_tls *tls) {
  uint64_t state = tls->random;
  if (!state) state = new_seed(tls);
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  tls->random = state; /* never 0: no step leads there */
  return (double)((tls->random * 0x2545f4914f6cdd1du >> 11) + 1) * 0x1p-53;
}

static int64_t distance(struct mh_tls *tls) {
  return (int64_t)(minus_log(random_unit(tls)) * (double)mh_settings.sample);
}

bool mh_sample_draw(struct mh_tls *tls) {
  bool first = tls->random == 0;
  int64_t overshoot = tls->until_sample;
  tls->until_sample = distance(tls);
  if (MH_LIKELY(!first)) return true;
  /* A thread's first distance is drawn here. The bytes that it has allocated so far are subtracted from it. */
  tls->until_sample += overshoot;
  return tls->until_sample < 0 && mh_sample_draw(tls);
}

void mh_sample_reseed(void) {
  struct mh_tls *tls = &mh_tls;
  if (tls->random) tls->random = new_seed(tls); /* or else nothing was drawn yet */
}

void mh_sample_redraw(void) {
  struct mh_tls *tls = &mh_tls;
  if (!tls->random) return;
  mh_sample_reseed();
  tls->until_sample = distance(tls);
}

/* 1 − e^(−x) for x > 0: by its own series where x is small, as that difference would lose all digits there. */
static double hit_probability(double x) {
  if (x > 40) return 1;
  if (x < 0.01) return x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4)));
  /* e^(−x) = (e^(−x / 64))^64 */
  double y = -x / 64, power = 1 + y * (1 + y / 2 * (1 + y / 3 * (1 + y / 4 * (1 + y / 5 * (1 + y / 6 * (1 + y / 7))))));
  for (int i = 0; i < 6; i++) power *= power;
  return 1 - power;
}

struct mh_amount mh_sample_scale(uint64_t size) {
  double weight = 1 / hit_probability((double)(size ? size : 1) / (double)mh_settings.sample);
  return (struct mh_amount){.count = (uint64_t)(weight + 0.5), .bytes = (uint64_t)(weight * (double)size + 0.5)};
}
