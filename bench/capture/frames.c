/* Call stacks of a given depth, out of 32 functions with frames of different sizes; 256 stacks where the inner frames
 * change. Compiled twice: RUN is run_omit without frame pointers and run_keep with them. */
#include "frames.h"

#define NOINLINE __attribute__((noinline))

static long go(struct plan *plan, int depth);

#define FRAME(n)                                            \
  static NOINLINE long frame##n(struct plan *plan, int depth) { \
    volatile long room[n % 5 * 4 + 1];                      \
    room[n % 5 * 2] = depth;                                \
    return go(plan, depth) + room[n % 5 * 2] + n;           \
  }
FRAME(0) FRAME(1) FRAME(2) FRAME(3) FRAME(4) FRAME(5) FRAME(6) FRAME(7)
FRAME(8) FRAME(9) FRAME(10) FRAME(11) FRAME(12) FRAME(13) FRAME(14) FRAME(15)
FRAME(16) FRAME(17) FRAME(18) FRAME(19) FRAME(20) FRAME(21) FRAME(22) FRAME(23)
FRAME(24) FRAME(25) FRAME(26) FRAME(27) FRAME(28) FRAME(29) FRAME(30) FRAME(31)

static long (*const frames[32])(struct plan *, int) = {
    frame0,  frame1,  frame2,  frame3,  frame4,  frame5,  frame6,  frame7,  frame8,  frame9,  frame10,
    frame11, frame12, frame13, frame14, frame15, frame16, frame17, frame18, frame19, frame20, frame21,
    frame22, frame23, frame24, frame25, frame26, frame27, frame28, frame29, frame30, frame31};

/* Always inlined: one call is one frame. */
static inline __attribute__((always_inline)) long go(struct plan *plan, int depth) {
  if (depth == 0) return plan->capture(plan);
  if (depth == CHANGING && !plan->inside) {
    plan->inside = 1;
    long sum = 0;
    for (long i = 0; i < plan->rounds; i++) {
      if (plan->change) {
        plan->random = plan->random * 6364136223846793005ull + 1442695040888963407ull;
        for (int level = 1; level <= CHANGING; level++)
          plan->path[level] = (plan->random >> (30 + level * 5) & 3) * 8 + level;
      }
      sum += frames[plan->path[CHANGING]](plan, CHANGING - 1);
    }
    plan->inside = 0;
    return sum;
  }
  return frames[plan->path[depth]](plan, depth - 1);
}

long RUN(struct plan *plan, int depth) {
  return frames[plan->path[depth]](plan, depth - 1);
}
