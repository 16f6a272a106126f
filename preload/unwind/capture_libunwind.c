/* Stack capture with LLVM's libunwind; see capture_libunwind.h.
 *
 * libunwind starts in this function. So it first steps out of memhook's own frames, until the stack pointer is the
 * entry's. Frames come innermost first, but nodes are interned from the outermost one inwards. So the program counters
 * are kept in the thread's state meanwhile, and not on the stack, which may be small.
 */
#include "capture_libunwind.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "cfi.h"
#include "../stacks/intern.h"
#include "layout.h"
#include "outermost.h"
#include "../base/settings.h"
#include "../threads/thread.h"

/* Flags of a program counter: it is no return address; its caller is unknown. No address has these bits. */
#define EXACT ((uintptr_t)MH_FRAME_FLAG_EXACT << (sizeof(uintptr_t) * 8 - 2))
#define LOST ((uintptr_t)MH_FRAME_FLAG_LOST << (sizeof(uintptr_t) * 8 - 2))
#define OWN_FRAMES 16

/* Helps libunwind out of a frame that a signal interrupted. libunwind looks up the rule as for a return address, one
 * byte too early. Where a rule begins, it then takes the wrong one, and may crash. With the next byte's address it
 * takes the right one. But behind a return instruction the next byte is another function's: so the return is done here.
 * True: it was. */
static bool correct(unw_cursor_t *cursor, unw_word_t *pc, unw_word_t *sp) {
  if (mh_cfi_rule(*pc, true) == mh_cfi_rule(*pc, false)) return false;
#if defined(__x86_64__)
  if (*(const uint8_t *)*pc == 0xc3) {
    *pc = *(const unw_word_t *)*sp;
    *sp += sizeof(*sp);
    unw_set_reg(cursor, UNW_REG_SP, *sp);
    unw_set_reg(cursor, UNW_REG_IP, *pc);
    return true;
  }
#else
  (void)sp;
#endif
  unw_set_reg(cursor, UNW_REG_IP, *pc + 1);
  return false;
}

uint32_t mh_capture_libunwind(struct mh_thread *thread, const struct mh_entry *entry) {
  uint32_t limit = mh_settings.depth;
  if (!thread->frames && !(thread->frames = mh_map_private(limit * sizeof(uintptr_t)))) return 0;
  unw_context_t context;
  unw_cursor_t cursor;
  if (unw_getcontext(&context) || unw_init_local(&cursor, &context)) return 0;
  unw_word_t pc = 0, sp = 0;
  for (unsigned own = 0; sp != entry->sp || pc != entry->pc; own++) {
    if (own == OWN_FRAMES || unw_step(&cursor) <= 0) return 0;
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    unw_get_reg(&cursor, UNW_REG_SP, &sp);
  }
  uint32_t count = 0;
  bool exact = false, cut = false;
  while (pc) {
    if (count == limit) {
      cut = true;
      break;
    }
    thread->frames[count++] = pc | (exact ? EXACT : 0);
    unw_word_t pc_before = pc, sp_before = sp;
    if (exact && correct(&cursor, &pc, &sp)) {
      exact = false;
      continue;
    }
    int result = unw_step(&cursor);
    if (result < 0) break;
    exact = unw_is_signal_frame(&cursor) > 0; /* in LLVM's libunwind: whether the last step left a signal frame */
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    unw_get_reg(&cursor, UNW_REG_SP, &sp);
    if (result > 0) continue;
    /* The end. If the cursor has moved, it is at a frame without frame information, the last one. */
    bool moved = pc != pc_before || sp != sp_before;
    if (!moved || !pc) break;
    if (count == limit)
      cut = true;
    else
      thread->frames[count++] = pc | (exact ? EXACT : 0);
    break;
  }
  /* There is no pc behind a frame that is described as the outermost one, or where a signal interrupted a call of a
   * null pointer. */
  if (count && !cut && (pc ? !mh_is_end(pc, exact, sp) : exact)) thread->frames[count - 1] |= LOST;
  uint32_t node = 0, hash = 0;
  while (count) {
    uintptr_t frame = thread->frames[--count];
    uint32_t flags = (frame & EXACT ? MH_FRAME_FLAG_EXACT : 0) | (frame & LOST ? MH_FRAME_FLAG_LOST : 0);
    uint32_t id = mh_intern_frame(frame & ~(EXACT | LOST), flags);
    if (id == MH_FRAME_HIDDEN) continue;
    hash = mh_node_hash(hash, id);
    node = id ? mh_intern_node(node, id, hash) : 0;
    if (!node) return 0;
  }
  return mh_intern_stack(node, cut, mh_stack_hash(hash, cut));
}
