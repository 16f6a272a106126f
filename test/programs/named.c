/* Functions whose names hold what a terminal obeys: the test writes it into the file, over the marks, after compiling.
 *
 * live 1 x 1000 heap mark_0_xxxxxxxxxxxxxxxxxxxxxxxx
 * live 1 x 1001 heap mark_1_xxxxxxxxxxxxxxxxxxxxxxxx
 * live 1 x 1002 heap mark_2_xxxxxxxxxxxxxxxxxxxxxxxx
 * live 1 x 1003 heap mark_3_xxxxxxxxxxxxxxxxxxxxxxxx
 */
#include "program.h"

#define MARK(n) \
  NOINLINE static void mark_##n##_xxxxxxxxxxxxxxxxxxxxxxxx(void) { keep(malloc(1000 + n), 1000 + n); }
MARK(0)
MARK(1)
MARK(2)
MARK(3)

int main(void) {
  mark_0_xxxxxxxxxxxxxxxxxxxxxxxx();
  mark_1_xxxxxxxxxxxxxxxxxxxxxxxx();
  mark_2_xxxxxxxxxxxxxxxxxxxxxxxx();
  mark_3_xxxxxxxxxxxxxxxxxxxxxxxx();
  free(NULL);
  return 0;
}
