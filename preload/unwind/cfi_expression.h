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

#include "cfi_row.h"

/* Evaluates `bytes` of expression. `pc`: the value of the program counter register. `with_cfa`: the CFA is on the
 * stack at the start, as for register rules. False: damaged, or more than a term can say. */
bool mh_cfi_expression(const uint8_t *expression, size_t bytes, uintptr_t pc, bool with_cfa, struct mh_term *result);
