/* DWARF expressions in call frame information, evaluated once for a program counter with the registers left open.
 *
 * What remains must be a constant, a register plus a constant, or a word loaded from there plus a constant. That is
 * all that compilers and the C library write: the lazy binding stubs (whose comparison with the program counter
 * folds), realigned frames, and signal frames.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mh_base { MH_BASE_NONE, MH_BASE_SP, MH_BASE_FP, MH_BASE_CFA };

/* base + add, or the word at (base + from), plus add. */
struct mh_term {
  enum mh_base base;
  bool loaded;
  int64_t from;
  int64_t add;
};

/* Evaluates `bytes` of expression. `pc`: the value of the program counter register. `with_cfa`: the CFA is on the
 * stack at the start, as for register rules. False: damaged, or more than a term can say. */
bool mh_cfi_expression(const uint8_t *expression, size_t bytes, uintptr_t pc, bool with_cfa, struct mh_term *result);
