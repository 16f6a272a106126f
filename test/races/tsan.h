/* Included before everything else when the library is compiled for ThreadSanitizer. It makes threads meet, and tells
 * ThreadSanitizer what it cannot see.
 *
 * - Now and then another thread runs in between: after an atomic load, before the result is used; and before a lock.
 * - The library maps and unmaps memory by system calls. Here libc's functions do it. So ThreadSanitizer knows fresh
 *   memory, and sees no race with what was at its address before.
 * - The kernel says that a thread is gone (tgkill: ESRCH) only after its end: all that the thread did happened before.
 *   races_thread_ends(), a thread's last call here, tells ThreadSanitizer so.
 */
#pragma once
#include "../../preload/base/lock.h"
#include "../../preload/base/sys.h"

void *races_map_private(size_t bytes);
int races_munmap(void *start, size_t bytes);
int races_tgkill(int pid, int tid, int signal);
void races_thread_ends(void);
void races_let_others(void);

/* hook.h declares it differently from unistd.h, which is included already. */
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
