/* The moments in the life of a process, at which memhook's parts have something to do. table.c says who has what;
 * nobody else calls those functions.
 *
 *     first hook     WAKE ─▶ START ─▶ the store is made ─▶ STORE ─▶ it records
 *
 *     child of fork  FORKED, at once, if libc tells of the fork
 *                    first hook: CHILD ─┬▶ CLONE ─▶ the store is made and filled ─▶ DROP_MISSING ─▶ BEGUN
 *                                       └▶ RESET ─▶ the store is made ─▶ STORE ─────────────────▶ BEGUN
 */
#pragma once

enum mh_moment {
  MH_WAKE,         /* the first hook: it is not known yet whether a system call may be made but those of the loader */
  MH_START,        /* memhook may work here; there is no store yet */
  MH_STORE,        /* an empty store has been made: at the start, and in a child that starts empty */
  MH_FORKED,       /* in a child, in the fork handler: a few words, as most children only execute another program */
  MH_CHILD,        /* in a child, at its first hook, whatever becomes of it. Only this thread is left of the parent's */
  MH_CLONE,        /* it goes on with what its parent had: locks that others held are free, threads are gone */
  MH_DROP_MISSING, /* and its store has its parent's records: what did not come along is left out */
  MH_RESET,        /* it starts empty */
  MH_BEGUN,        /* it has begun, or memhook is off in it: it wants nothing of its parent's any more */
  MH_MOMENTS,
};

/* Calls all that have something to do then, in the table's order. */
void mh_live(enum mh_moment moment);

/* Of the hooks, which are above: life only says when, and these are theirs to define. */
void mh_redirect_start(void);
void mh_redirect_forked(void);
void mh_exec_forked(void);
