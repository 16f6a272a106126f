/* Lives for so many milliseconds, and allocates meanwhile as one of these behaviours does, each in a function of its
 * name. What memview verdict has to say of that function stands behind it:
 *
 *     steady       growing        small blocks all the time, none freed
 *     slow         growing        few blocks all the time, beside churn, which is freed at once
 *     cache        filled         fills in the first part of the life
 *     bounded      recent         each block takes the place of the oldest
 *     early        filled         all at the start
 *     later        burst          all at once, later
 *     stopped      stopped        for two fifths of the life, and then no more
 *     vector       reallocated    doubles by realloc
 *     sawtooth     recent         grows, and is freed as a whole, again and again
 *     arena        reallocated    grows by steps of realloc, beside churn
 *     killed       growing        as steady, and is killed in the end
 *
 * How many blocks there are follows the clock, so that a machine that has no time for it changes when they are born by
 * as much as it waits, and nothing else.
 */
#include <signal.h>
#include <time.h>

#include "program.h"

enum { STEPS = 2000 };

NOINLINE static void touch(void *block) {
  CHECK(block != NULL);
  *(volatile char *)block = 1;
}

NOINLINE static void steady(int step) {
  (void)step;
  touch(malloc(64));
}

NOINLINE static void churn(int step) {
  static void *ring[64];
  for (int i = 0; i < 20; i++) {
    void **slot = &ring[(step * 20 + i) % 64];
    free(*slot);
    *slot = malloc(80);
    touch(*slot);
  }
}

NOINLINE static void slow(int step) {
  if (step % 20 == 10) touch(malloc(48));
}

NOINLINE static void cache(int step) {
  if (step < STEPS / 7) touch(malloc(256));
}

NOINLINE static void bounded(int step) {
  static void *ring[150];
  free(ring[step % 150]);
  touch(ring[step % 150] = malloc(128));
}

NOINLINE static void early(int step) {
  for (int i = 0; step == 0 && i < 500; i++) touch(malloc(200));
}

NOINLINE static void later(int step) {
  for (int i = 0; step == STEPS / 2 && i < 500; i++) touch(malloc(200));
}

NOINLINE static void stopped(int step) {
  if (step < STEPS * 2 / 5) touch(malloc(64));
}

NOINLINE static void vector(int step) {
  static char *items;
  static size_t capacity = 16;
  if (items == NULL || (size_t)step * 64 > capacity) touch(items = realloc(items, capacity *= 2));
}

NOINLINE static void sawtooth(int step) {
  static void *blocks[140];
  if (step % 140 == 0)
    for (int i = 0; i < 140; i++) free(blocks[i]), blocks[i] = NULL;
  touch(blocks[step % 140] = malloc(96));
}

NOINLINE static void arena(int step) {
  static char *memory;
  static size_t size;
  if (step % 20 == 0) touch(memory = realloc(memory, size += 4096));
}

static const struct behaviour {
  const char *name;
  void (*now)(int step);
} behaviours[] = {
    {"steady", steady},   {"slow", slow},       {"cache", cache},   {"bounded", bounded}, {"early", early},
    {"later", later},     {"stopped", stopped}, {"vector", vector}, {"sawtooth", sawtooth}, {"arena", arena},
    {"killed", steady},
};

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  const struct behaviour *its = behaviours, *end = behaviours + sizeof behaviours / sizeof *behaviours;
  while (its < end && strcmp(its->name, argv[1]) != 0) its++;
  CHECK(its < end);
  double start = now(), life = atof(argv[2]);
  int step = 0;
  for (double part; (part = (now() - start) / life) < 1;) {
    for (; step < part * STEPS && step < STEPS; step++) {
      if (its->now == slow || its->now == arena) churn(step);
      its->now(step);
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
  }
  if (strcmp(its->name, "killed") == 0) raise(SIGKILL);
  return 0;
}
