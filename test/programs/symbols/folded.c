// Functions that are the same, so that a linker that is told to (--icf=all) folds them into one, or two of them: two in
// this file, one in folded_too.c. The suite knows by these names which lines are whose.

#include <stdlib.h>

__attribute__((noipa)) int first_of_three(int value) {
  value *= 77;
  srand(value);
  return value + 5;
}

__attribute__((noipa)) int
second_of_three(int value)
{
  value *= 77;
  srand(value);
  return value + 5;
}

int third_of_three(int value);

int main(int argc, char **argv) {
  return first_of_three(argc) + second_of_three(argc) + third_of_three(argc);
}
