/* Included before everything else when the tables are compiled for
 * ThreadSanitizer: has threads meet, and tells it of what it cannot see.
 *
 * - Now and then another thread comes in between: after an atomic load, and so
 * between a look and what follows from it; before a lock.
 * - The library maps and unmaps memory by system calls of its own. Seen through
 * libc's functions, fresh memory is fresh to
 *   ThreadSanitizer too, and not in a race with what was at its address before.
 * - The kernel says that a thread is gone (tgkill: ESRCH) only when it is: all
 * that the thread did happened before. Its last
 *   act here is races_thread_ends(), which is the kernel's part of that.
 */
#pragma once
#include "../../preload/base/lock.h"
#include "../../preload/base/sys.h"

void *races_map_private(size_t bytes);
int races_munmap(void *start, size_t bytes);
int races_tgkill(int pid, int tid, int signal);
void races_thread_ends(void);
void races_let_others(void);

/* The hooks' header declares it otherwise than unistd.h, which is here already. */
#define syscall races_syscall

#define mh_map_private races_map_private
#define mh_munmap races_munmap
#define mh_tgkill races_tgkill

#define __atomic_load_n(...)                          \
  __extension__({                                     \
    __auto_type seen_ = __atomic_load_n(__VA_ARGS__); \
    races_let_others();                               \
    seen_;                                            \
  })
#define mh_lock_acquire_reentrant(lock, self) (races_let_others(), mh_lock_acquire_reentrant(lock, self))
