/* Control that leaves functions otherwise than by returning: longjmp over frames that hold blocks, contexts that
 * switch to and fro, alloca of changing size, recursion. After bytehound's and valgrind's tests. */
#include <alloca.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

static jmp_buf out;
static ucontext_t ours, theirs;

static void down(int depth, size_t room) {
  char *frame = alloca(room);
  memset(frame, 1, room);
  void *block = malloc((size_t)depth * 10 + 1);
  if (depth > 0)
    down(depth - 1, room * 3 % 977 + 1);
  else if (block)
    longjmp(out, 1);
  free(block);
}

static void visitor(void) {
  for (int turn = 0; turn < 10; turn++) {
    void *block = malloc(2000 + (size_t)turn);
    swapcontext(&theirs, &ours);
    if (turn % 2) free(block);
  }
}

int main(void) {
  for (volatile int depth = 1; depth < 40; depth += 7)
    if (setjmp(out) == 0) down(depth, 16);
  getcontext(&theirs);
  theirs.uc_stack.ss_sp = malloc(1 << 16);
  theirs.uc_stack.ss_size = 1 << 16;
  theirs.uc_link = &ours;
  makecontext(&theirs, visitor, 0);
  for (int turn = 0; turn < 8; turn++) {
    swapcontext(&ours, &theirs);
    free(malloc(50));
  }
  puts("back");
  return 0;
}
