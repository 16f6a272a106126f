/* The instructions of call frame information: from the description of a function to the row of its table for one
 * program counter.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "cfi_row.h"
#include "cursor.h"

/* A CIE: what the descriptions of several functions share. */
struct mh_cie {
  uint64_t code_align;
  int64_t data_align;
  uint64_t ra_register;
  uint8_t pointer_encoding;
  bool signal;
  bool augmented; /* the FDE has augmentation data to be skipped */
  struct mh_cursor instructions;
};

/* Runs a CIE's instructions, then a function's as far as they are for code at or before the offset `upto`. `pc` is the
 * program counter for expressions. False: the instructions are damaged. */
bool mh_cfi_run(struct mh_cie *cie, struct mh_cursor *instructions, uintptr_t function, uintptr_t pc, uint64_t upto,
                struct mh_cfi_row *row);
