/* seeded: one small leak among very many blocks that are meant to live: 100,000 in 5,000 call stacks.
 *
 *     seeded            leaks nothing
 *     seeded leak       leaks one block of 24 bytes
 *
 * With -DINSERTED there is a function above the leak, so that lines and addresses behind it move.
 */
#include <stdlib.h>
#include <string.h>

#define STACKS 5000
#define BLOCKS 20

static void *kept[STACKS][BLOCKS];

#ifdef INSERTED
__attribute__((noinline)) int inserted(int number) {
  return number * 3 + 1;
}
#endif

__attribute__((noinline)) static void keep(unsigned stack) {
  for (int i = 0; i < BLOCKS; i++) kept[stack][i] = malloc(16 + stack % 64);
}

static void even(unsigned stack, unsigned left);
static void odd(unsigned stack, unsigned left);

/* The bits of a number are a way through two functions: as many numbers, as many stacks. */
static void go(unsigned stack, unsigned left) {
  if (left == 0)
    keep(stack);
  else if (left & 1)
    odd(stack, left >> 1);
  else
    even(stack, left >> 1);
}
__attribute__((noinline)) static void even(unsigned stack, unsigned left) {
  go(stack, left);
}
__attribute__((noinline)) static void odd(unsigned stack, unsigned left) {
  go(stack, left);
}

static void *volatile lost;

__attribute__((noinline)) static void leak(void) {
  lost = malloc(24); /* the leak */
  lost = NULL;
}

int main(int argc, char **argv) {
#ifdef INSERTED
  if (inserted(argc) == 0) return 1;
#endif
  for (unsigned stack = 0; stack < STACKS; stack++) go(stack, stack + 1);
  if (argc > 1 && strcmp(argv[1], "leak") == 0) leak();
  return 0;
}
