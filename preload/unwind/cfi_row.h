/* A row of call frame information: what its instructions say for one program counter. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What a value is computed from. */
enum mh_base { MH_BASE_NONE, MH_BASE_SP, MH_BASE_FP, MH_BASE_CFA };

/* base + add, or the word at (base + from), plus add. */
struct mh_term {
  enum mh_base base;
  bool loaded;
  int64_t from;
  int64_t add;
};

/* How a register of the caller is found. */
enum mh_how {
  MH_HOW_SAME,       /* not mentioned: it still has its value */
  MH_HOW_UNDEFINED,  /* lost; for the return address: the outermost frame */
  MH_HOW_AT_CFA,     /* the word at CFA + value */
  MH_HOW_AT_TERM,    /* the word at term */
  MH_HOW_IS_CFA,     /* CFA + value */
  MH_HOW_OTHER,      /* more than a rule can say */
};

struct mh_register_rule {
  enum mh_how how;
  int64_t value;
  struct mh_term term;
};

/* What the frame information says at one program counter, about the registers that a rule knows. */
struct mh_cfi_row {
  bool known; /* false: the CFA is in another register, or the like */
  bool signal;
  struct mh_term cfa;
  struct mh_register_rule sp, fp, ra;
};
