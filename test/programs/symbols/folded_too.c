// See folded.c.

#include <stdlib.h>

__attribute__((noipa)) int third_of_three(int value) {
  value *= 77;
  srand(value);
  return value + 5;
}
