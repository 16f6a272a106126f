/* The C++ operators new and delete, and what is known of each. Each may be replaced by the program, and the C++
 * runtime's own call each other, so that to replace one is to replace those that lead to it:
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

/* What a hook does. */
enum mh_way {
  MH_WAY_UNKNOWN, /* not decided */
  MH_WAY_DIRECT,  /* nobody replaced any operator on the way to malloc or free: their real ones are called */
  MH_WAY_AROUND,  /* calls what is behind it; the block is what comes of that, whatever is allocated inside */
  /* Leaves it to what is behind it: the program has operators of its own that it calls past the hooks. What these take
   * from malloc is recorded there, and forgotten there, whoever calls them. */
  MH_WAY_THROUGH,
  MH_WAY_BY_CALLER, /* depends on who calls */
};

struct mh_operator {
  void *function; /* the one behind the hook; NULL if there is none */
  uint32_t way;
};
extern struct mh_operator mh_operators[MH_OPERATOR_COUNT];

/* Their symbols; and to which one a runtime's own forwards, itself if to none. */
extern const char *const mh_operator_names[MH_OPERATOR_COUNT];
extern const uint8_t mh_operators_next[MH_OPERATOR_COUNT];

/* Whether a malloc or free comes before memhook's: who calls those does not call the hooks. */
extern bool mh_operators_heap_before;

/* What a hook does where its operator, and each that it leads to, is a C++ runtime's own. */
enum mh_way mh_operators_runtime_way(enum mh_operator_id id);

/* Whether the module is a C++ runtime, whose own operators do nothing but call each other, malloc and free. */
bool mh_operators_is_runtime(const struct mh_loaded *module);
