/* Tail calls: a function that ends with a call leaves no frame. The block belongs to the function's caller. Built with
 * -O2 and -foptimize-sibling-calls.
 *
 * live 10 x 401 heap caller
 * live 1 x 402 heap main
 */
#include "program.h"

NOINLINE static void *allocate(size_t size) { return malloc(size); }

NOINLINE static void *further(size_t size) { return allocate(size + 1); }

NOINLINE static void caller(void) {
  keep(further(400), 401);
}

int main(void) {
  for (int i = 0; i < 10; i++) caller();
  keep(further(401), 402);
  return 0;
}
