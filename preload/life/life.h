/* The moments in the life of a process at which parts of memhook have something to do. table.c lists their functions;
 * nothing else calls them.
 *
 *     first hook     WAKE ─▶ START ─▶ the store is made ─▶ STORE ─▶ it records
 *
 *     child of fork  FORKED, at once, if libc tells of the fork
 *                    first hook: CHILD ─┬▶ CLONE ─▶ the store is made and filled ─▶ DROP_MISSING ─▶ BEGUN
 *                                       └▶ RESET ─▶ the store is made ─▶ STORE ─────────────────▶ BEGUN
 */
#pragma once

enum mh_moment {
  MH_WAKE,         /* the first hook; it is unknown yet whether other system calls than the loader's are allowed */
  MH_START,        /* memhook may work here; there is no store yet */
  MH_STORE,        /* an empty store has been made: at the start, and in a child that starts empty */
  MH_FORKED,       /* in a child, in the fork handler: short work, as most children only execute another program */
  MH_CHILD,        /* in a child, at its first hook, in every case. Of the parent's threads only this one is left */
  MH_CLONE,        /* it continues its parent's state: locks of other threads are free, their thread states are gone */
  MH_DROP_MISSING, /* its store has been filled: entries whose record is missing there are dropped */
  MH_RESET,        /* it starts empty */
  MH_BEGUN,        /* it has begun, or memhook is off in it: it no longer needs anything of its parent */
  MH_MOMENTS,
};

/* Calls the functions for this moment, in the table's order. */
void mh_live(enum mh_moment moment);

/* Defined in hooks/, which is above this room: life only decides when they are called. */
void mh_redirect_start(void);
void mh_redirect_forked(void);
void mh_exec_forked(void);
