/* Stack capture with LLVM's libunwind; see capture_libunwind.h.
 *
 * libunwind starts in this function, so it first steps out of memhook's own frames, to the one whose stack
 * pointer is the entry's. Frames come innermost first; nodes are interned from the outermost inwards, so the program counters
 * are kept in the thread's own room meanwhile (not on the stack: it may be small).
 */
#include "capture_libunwind.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include "intern.h"
#include "settings.h"
#include "thread.h"

#define EXACT ((uintptr_t)1 << (sizeof(uintptr_t) * 8 - 1)) /* marks a program counter that is no return address */
#define OWN_FRAMES 16

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
  for (;;) {
    if (count == limit) {
      cut = true;
      break;
    }
    thread->frames[count++] = pc | (exact ? EXACT : 0);
    exact = unw_is_signal_frame(&cursor) > 0;
    if (unw_step(&cursor) <= 0) break;
    unw_get_reg(&cursor, UNW_REG_IP, &pc);
    if (pc == 0) break;
  }
  uint32_t node = 0;
  while (count) {
    uintptr_t frame = thread->frames[--count];
    uint32_t id = mh_intern_frame(frame & ~EXACT, (frame & EXACT) != 0);
    node = id ? mh_intern_node(node, id) : 0;
    if (!node) return 0;
  }
  return mh_intern_stack(node, cut);
}
