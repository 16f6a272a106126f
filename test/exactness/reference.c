/* The reference: LLVM's libunwind. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <stdint.h>

#include "../../preload/unwind/cfi.h"
#include "../../preload/unwind/outermost.h"
#include "exactness.h"

/* Whether a rule begins at an interrupted instruction. libunwind runs a function's description up to, and not
 * including, the rules that begin at the pc. That is right for a return address. Here it takes the wrong rule, and may
 * crash. With the address of the next byte it takes the right one. */
static bool at_boundary(uintptr_t pc) {
  return mh_cfi_rule(pc, true) != mh_cfi_rule(pc, false);
}

static bool at_return(uintptr_t pc) {
#if defined(__x86_64__)
  return *(const uint8_t *)pc == 0xc3;
#else
  (void)pc;
  return false;
#endif
}

/* Steps libunwind from here to the entry, then outwards. A frame without frame information is the last one. If its
 * callers are lost, there is still a pc, unless the limit is reached. */
unsigned reference_walk(const struct mh_entry *entry, struct frame *frames, unsigned limit, bool *corrected) {
  unw_context_t context;
  unw_cursor_t cursor;
  if (unw_getcontext(&context) || unw_init_local(&cursor, &context)) return 0;
  unw_word_t pc = 0, sp = 0;
  for (unsigned own = 0; sp != entry->sp || pc != entry->pc; own++) {
    if (own == 16 || unw_step(&cursor) < 0) return 0;
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    unw_get_reg(&cursor, UNW_REG_SP, &sp);
  }
  unsigned count = 0;
  bool exact = false;
  while (pc && count < limit) {
    frames[count++] = (struct frame){.pc = pc, .exact = exact};
    unw_word_t sp_before = sp, pc_before = pc;
    if (exact && at_boundary(pc)) {
      *corrected = true;
      if (at_return(pc)) {
        /* The next byte is another function's. So the return is done here. */
        pc = *(unw_word_t *)sp;
        sp += sizeof sp;
        unw_set_reg(&cursor, UNW_REG_SP, sp);
        unw_set_reg(&cursor, UNW_REG_IP, pc);
        exact = false;
        continue;
      }
      unw_set_reg(&cursor, UNW_REG_IP, pc + 1);
    }
    int result = unw_step(&cursor);
    if (result < 0) break;
    exact = unw_is_signal_frame(&cursor) > 0; /* in LLVM's: whether the last step left a signal frame */
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    unw_get_reg(&cursor, UNW_REG_SP, &sp);
    if (result == 0 && pc == pc_before && sp == sp_before) break;
    if (result == 0) {
      if (pc && count < limit) frames[count++] = (struct frame){.pc = pc, .exact = exact};
      break;
    }
  }
  if (count && count < limit) frames[count - 1].lost = pc ? !mh_is_end(pc, exact, sp) : exact;
  return count;
}
