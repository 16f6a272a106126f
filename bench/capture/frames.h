#pragma once

#define CHANGING 4 /* innermost frames that change */
#define DEEPEST 512

struct plan {
  long (*capture)(struct plan *); /* called at the end of each stack */
  long rounds;                    /* stacks */
  int change;                     /* the innermost frames differ from the ones before */
  int inside;
  unsigned long long random;
  unsigned char path[DEEPEST + 1];
};

/* Builds a stack `depth` deep, and in its innermost part `rounds` stacks one after the other. */
long run_omit(struct plan *plan, int depth);
long run_keep(struct plan *plan, int depth);
