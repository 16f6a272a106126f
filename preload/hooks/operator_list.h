/* The C++ operators new and delete, and what is known of each. A program may replace any of them. The C++ runtime's own
 * operators call each other, so replacing one also replaces those that lead to it:
 *
 *     new[](nothrow) ──▶ new[] ──▶ new ──▶ malloc          delete[](sized) ──▶ delete[] ──▶ delete ──▶ free
 *     new(nothrow) ────────────▶ new                       delete(sized), delete(nothrow) ──▶ delete
 *     aligned ones ──▶ their aligned twins                 aligned ones ──▶ their aligned twins
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../life/functions.h"
#include "../life/loaded.h"

#define MH_OPERATOR(symbol) MH_OPERATOR_##symbol
enum mh_operator_id {
#define O(X, symbol, ...) MH_OPERATOR(symbol),
  MH_OPERATORS(O, O, O, )
#undef O
  MH_OPERATOR_COUNT,
};

/* What an operator's hook does. */
enum mh_way {
  MH_WAY_UNKNOWN, /* not decided */
  MH_WAY_DIRECT,  /* calls the real malloc or free: no operator on the way to them was replaced */
  MH_WAY_AROUND,  /* calls the operator behind it and records its result; allocations inside are not recorded */
  /* Jumps to the operator behind it: the program calls operators of its own, bypassing the hooks. What these allocate
   * by malloc is recorded and forgotten in malloc's and free's hooks. */
  MH_WAY_THROUGH,
  MH_WAY_BY_CALLER, /* depends on the caller */
};

struct mh_operator {
  void *function; /* the one behind the hook; NULL if there is none */
  uint32_t way;
};
extern struct mh_operator mh_operators[MH_OPERATOR_COUNT];

/* Their symbols; and the operator to which a C++ runtime's own forwards, itself if to none. */
extern const char *const mh_operator_names[MH_OPERATOR_COUNT];
extern const uint8_t mh_operators_next[MH_OPERATOR_COUNT];

/* Whether another malloc or free precedes memhook's: then calls of them do not reach the hooks. */
extern bool mh_operators_heap_before;

/* What a hook does where its operator, and each that it leads to, is a C++ runtime's own. */
enum mh_way mh_operators_runtime_way(enum mh_operator_id id);

/* Whether the module is a C++ runtime, whose operators only call each other, malloc and free. */
bool mh_operators_is_runtime(const struct mh_loaded *module);
