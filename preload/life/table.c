/* What each file does at which moment of a process's life (life.h), and what becomes of its lock when the holder is
 * gone.
 *
 * Each file that keeps state from one call to the next has a row here. tools/checks/life.mjs finds files without one.
 * The rows are in the order of the rooms, from base up, so whatever a row uses was called before it. One row stands
 * elsewhere, and says why. A row's second word is for the case that a signal handler jumped out while the file's lock
 * was held, or ended the holder's thread. Then the next thread to acquire the lock takes it over:
 *
 *   RESTARTED  it does the work from the beginning; what was half done does no harm
 *   REPAIRED   it first repairs the data that the lock protects
 */
#include <stddef.h>

#include "../base/alive.h"
#include "../base/clock.h"
#include "../base/process.h"
#include "../base/settings.h"
#include "../index/index.h"
#include "../index/intervals.h"
#include "../records/fork_log.h"
#include "../records/exiting.h"
#include "../records/slots.h"
#include "../send/sender.h"
#include "../stacks/intern.h"
#include "../stacks/keep.h"
#include "../stacks/modules.h"
#include "../store/stand_in.h"
#include "../threads/counters.h"
#include "../threads/sample.h"
#include "../threads/thread.h"
#include "../unwind/capture.h"
#include "../unwind/cfi.h"
#include "../unwind/rule_table.h"
#include "allocator.h"
#include "life.h"

#define ROW(file, lock, ...) {__VA_ARGS__},

static void (*const table[][MH_MOMENTS])(void) = {
    /* Before the settings: once these are read, a free asks whether a block may have a record, and those of early
     * memory may. */
    ROW(index/index, NO_LOCK, [MH_WAKE] = mh_index_start, [MH_CLONE] = mh_index_clone, [MH_RESET] = mh_index_reset)

    ROW(base/alive, NO_LOCK, [MH_FORKED] = mh_alive_forked)
    ROW(base/settings, NO_LOCK, [MH_WAKE] = mh_settings_read)
    ROW(base/clock, NO_LOCK, [MH_START] = mh_clock_find)
    ROW(base/process, NO_LOCK, [MH_START] = mh_process_start, [MH_CHILD] = mh_process_child)

    /* start.c and clone.c make the store and forget it, between these moments. With it go its calendar, where it is
     * mapped, and what stands in for it. */
    ROW(store/store, RESTARTED)
    ROW(store/format, NO_LOCK)
    ROW(store/calendar, NO_LOCK)
    ROW(store/stand_in, NO_LOCK, [MH_FORKED] = mh_stand_in_forked)

    ROW(threads/thread, RESTARTED, [MH_CLONE] = mh_thread_reset, [MH_RESET] = mh_thread_reset)
    ROW(threads/counters, RESTARTED, [MH_CLONE] = mh_count_reset, [MH_RESET] = mh_count_reset)
    ROW(threads/sample, NO_LOCK, [MH_FORKED] = mh_sample_redraw, [MH_CHILD] = mh_sample_reseed)

    ROW(index/shadow, NO_LOCK, [MH_CLONE] = mh_shadow_clone, [MH_RESET] = mh_shadow_reset)
    ROW(index/overflow, REPAIRED, [MH_CLONE] = mh_overflow_clone, [MH_DROP_MISSING] = mh_overflow_drop_missing,
        [MH_RESET] = mh_overflow_reset)
    ROW(index/intervals, REPAIRED, [MH_CLONE] = mh_intervals_clone, [MH_DROP_MISSING] = mh_intervals_drop_missing,
        [MH_RESET] = mh_intervals_reset)

    ROW(stacks/keep, NO_LOCK, [MH_START] = mh_keep_start)
    ROW(stacks/modules, RESTARTED, [MH_STORE] = mh_modules_start, [MH_CLONE] = mh_modules_clone,
        [MH_RESET] = mh_modules_reset)
    ROW(stacks/intern, RESTARTED, [MH_CLONE] = mh_intern_clone, [MH_RESET] = mh_intern_reset)

    ROW(unwind/stack_cache, NO_LOCK, [MH_START] = mh_capture_start)
    ROW(unwind/rule_table, RESTARTED, [MH_CHILD] = mh_rule_table_child)
    ROW(unwind/cfi, NO_LOCK, [MH_CHILD] = mh_cfi_child)

    ROW(records/slots, NO_LOCK, [MH_CLONE] = mh_slots_reset, [MH_DROP_MISSING] = mh_slots_rebuild,
        [MH_RESET] = mh_slots_reset)
    ROW(records/exiting, NO_LOCK, [MH_FORKED] = mh_exiting_child, [MH_CHILD] = mh_exiting_child)
    ROW(records/fork_log, RESTARTED, [MH_FORKED] = mh_fork_log_forked, [MH_BEGUN] = mh_fork_log_forget)

    ROW(send/sender, NO_LOCK, [MH_FORKED] = mh_sender_forget, [MH_CHILD] = mh_sender_forget)
    ROW(send/sender_difference, NO_LOCK) /* the sender forgets it */

    /* The modules are known by then, and so whose the functions behind the hooks are. */
    ROW(life/allocator, NO_LOCK, [MH_START] = mh_allocator_start, [MH_STORE] = mh_allocator_judge)

    ROW(hooks/redirect, RESTARTED, [MH_STORE] = mh_redirect_start, [MH_FORKED] = mh_redirect_forked)
    ROW(hooks/hooks_exec, RESTARTED, [MH_FORKED] = mh_exec_forked)

    /* The same in every process of a program, and so in children: found or decided once, and filters that stay for
     * good. */
    ROW(base/early, NO_LOCK)
    ROW(base/log, NO_LOCK)
    ROW(base/seccomp, NO_LOCK)
    ROW(unwind/origin, NO_LOCK)
    ROW(unwind/outermost, NO_LOCK)
    ROW(unwind/stack_range, NO_LOCK)
    ROW(life/real, NO_LOCK)
    ROW(life/pass, NO_LOCK)
    ROW(hooks/operator_list, NO_LOCK)
    ROW(hooks/operators_late, NO_LOCK)
    ROW(hooks/hooks_names, NO_LOCK)

    /* Room to work in, which every use fills anew; and the phase that start.c itself is in. */
    ROW(store/claim, NO_LOCK)
    ROW(store/family, NO_LOCK)
    ROW(store/parent, NO_LOCK)
    ROW(stacks/image, NO_LOCK)
    ROW(send/sender_link, NO_LOCK)
    ROW(life/clone, NO_LOCK)
    ROW(life/start, NO_LOCK)
};

void mh_live(enum mh_moment moment) {
  for (unsigned row = 0; row < sizeof table / sizeof *table; row++)
    if (table[row][moment]) table[row][moment]();
}
