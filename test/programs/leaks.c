/* The simple case: one thread, a few leaks, everything else freed.
 *
 * live 1 x 1 heap leak_one_byte
 * live 1 x 0 heap leak_nothing
 * live 3 x 100 heap leak_hundreds
 * live 10 x 24 heap leak_in_a_loop
 * live 1 x 300000 heap leak_large
 * live 2 x 40 heap leak_for_two_callers
 */
#include "program.h"

NOINLINE static void leak_one_byte(void) { keep(malloc(1), 1); }

NOINLINE static void leak_nothing(void) { keep(malloc(0), 0); }

NOINLINE static void leak_hundreds(void) {
  for (int i = 0; i < 3; i++) keep(malloc(100), 100);
}

NOINLINE static void leak_in_a_loop(void) {
  for (int i = 0; i < 10; i++) keep(malloc(24), 24);
}

/* Beyond the libc's threshold: it takes a mapping of its own for this block, which must not be counted twice. */
NOINLINE static void leak_large(void) { keep(malloc(300000), 300000); }

NOINLINE static void leak_for_two_callers(void) { keep(malloc(40), 40); }
NOINLINE static void first_caller(void) {
  leak_for_two_callers();
  say("first\n");
}
NOINLINE static void second_caller(void) {
  leak_for_two_callers();
  say("second\n");
}

NOINLINE static void free_what_it_allocates(void) {
  static void *volatile blocks[1000];
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 1000; i++) blocks[i] = malloc((size_t)i);
    for (int i = 0; i < 1000; i++) free(blocks[(i * 7) % 1000]);
  }
}

int main(void) {
  leak_one_byte();
  free_what_it_allocates();
  leak_nothing();
  leak_hundreds();
  leak_in_a_loop();
  free_what_it_allocates();
  leak_large();
  first_caller();
  second_caller();
  free(NULL);
  return 0;
}
