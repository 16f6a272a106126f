/* DWARF expressions in call frame information. An expression is evaluated once for a program counter, with the other
 * registers left symbolic.
 *
 * The result must be a constant, a register plus a constant, or a word loaded from such an address plus a constant.
 * Compilers and the C library write nothing else: lazy binding stubs (which compare the program counter, a constant
 * here), realigned frames, and signal frames.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cfi_row.h"

/* Evaluates an expression of so many bytes. `pc` is the program counter. `with_cfa`: the CFA is on the expression's
 * stack at the start, as for register rules. False: it is damaged, or its result is no such term. */
bool mh_cfi_expression(const uint8_t *expression, size_t bytes, uintptr_t pc, bool with_cfa, struct mh_term *result);
