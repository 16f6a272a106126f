/* Outermost frames; see outermost.h. */
#include "outermost.h"

#include <sys/auxv.h>

#include "cfi.h"
#include "../stacks/modules.h"
#include "origin.h"
#include "../base/peek.h"
#include "unwind_rule.h"
#include "step.h"
#include "../base/sys.h"

/* The size of _start, of which only the beginning is known. */
#define START_BYTES 128
/* The search goes no further than so many bytes from the end. A thread's thread-local variables are among them. */
#define MOST_BYTES 16384u
#define WORDS 64

extern char **environ;

static uintptr_t program_start;
/* The main thread's initial stack pointer, where the number of arguments is; 0: not known. */
static uintptr_t main_stack_start;

void mh_outermost_start(void) {
  if (program_start) return; /* a child of fork: the environment may have changed by now */
  program_start = getauxval(AT_ENTRY);
  if (mh_gettid() != mh_getpid()) return;
  /* The arguments and a null pointer are in front of the environment, if that is still the one on the stack. */
  const uintptr_t *own = __builtin_frame_address(0), *at = (const uintptr_t *)environ;
  if (at <= own || (uintptr_t)at >= getauxval(AT_EXECFN) || at[-1]) return;
  uintptr_t count = 0;
  for (at -= 2; at > own && *at != count; at--) count++;
  if (at > own) main_stack_start = (uintptr_t)at;
}

bool mh_is_runtime(uintptr_t pc) {
  if (pc - program_start < START_BYTES) return true;
  const struct mh_module *module = mh_module_known(pc) ? mh_module_at(pc) : NULL;
  return module && mh_module_is_runtime(module->id);
}

/* Whether `word` is a return address into code that is not the C library's. */
static bool returns_elsewhere(uintptr_t word) {
  uint8_t code[MH_CALL_BYTES];
  word = mh_strip(word);
  return mh_module_known(word) && mh_module_at(word) && !mh_is_runtime(word - 1) &&
         mh_peek(code, word - sizeof code, sizeof code) && mh_ends_with_call(code);
}

bool mh_is_outermost(uintptr_t sp) {
  uintptr_t ends[] = {mh_thread_pointer(), main_stack_start}, end = 0;
  for (unsigned i = 0; i < 2; i++)
    if (ends[i] - sp <= MOST_BYTES) end = ends[i];
  if (!end) return false;
  uintptr_t words[WORDS];
  for (size_t bytes; sp < end; sp += bytes) {
    bytes = end - sp < sizeof words ? end - sp : sizeof words;
    if (!mh_peek(words, sp, bytes)) return false;
    for (size_t i = 0; i < bytes / sizeof *words; i++)
      if (returns_elsewhere(words[i])) return false;
  }
  return true;
}

bool mh_is_end(uintptr_t pc, bool exact, uintptr_t sp) {
  uint64_t rule = mh_cfi_rule(pc, exact);
  return rule == MH_RULE_END || (rule == MH_RULE_LOST && mh_is_runtime(pc - !exact) && mh_is_outermost(sp));
}
