/* The C++ operators; see operator_list.h. */
#include "operator_list.h"

#include "../base/sys.h"
#include "../base/text.h"

struct mh_operator mh_operators[MH_OPERATOR_COUNT];

const char *const mh_operator_names[] = {
#define O(X, symbol, ...) #symbol,
    MH_OPERATORS(O, O, O, )
#undef O
};

const uint8_t mh_operators_next[] = {
#define O(X, symbol, next, ...) MH_OPERATOR(next),
    MH_OPERATORS(O, O, O, )
#undef O
};

bool mh_operators_is_runtime(const struct mh_loaded *module) {
  const char *file = module->file;
  return mh_starts(file, "libstdc++.so") || mh_starts(file, "libc++.so") || mh_starts(file, "libc++abi.so");
}

bool mh_operators_heap_before;

static bool allocates_aligned(enum mh_operator_id id) {
  return id >= MH_OPERATOR(_ZnwmSt11align_val_t) && id <= MH_OPERATOR(_ZnamSt11align_val_tRKSt9nothrow_t);
}

/* Aligned allocations always go to the runtime's operator: only it knows which alignments it refuses, and which
 * function it calls with which size. */
enum mh_way mh_operators_runtime_way(enum mh_operator_id id) {
  return MH_GET(mh_operators_heap_before) || allocates_aligned(id) ? MH_WAY_AROUND : MH_WAY_DIRECT;
}
