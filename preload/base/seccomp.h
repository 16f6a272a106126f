/* Seccomp filters that the program installs: before a system call of memhook's own they are asked, as the kernel will
 * ask them.
 *
 * A sandbox knows which calls the program makes, not which ones memhook makes; for one too many it may kill. So a call
 * that a filter would answer with anything but "yes" or an error is not made: a store that cannot grow any more drops
 * records, and says so.
 *
 * A filter is taken as one of all threads, and stays for good.
 *
 * One that was there before the program began cannot be asked. Containers and services have such filters, which allow
 * what programs in general do; a launcher that makes a sandbox for one program may kill for everything else. They
 * differ in who has the filter: all processes up to the first one that can be seen, or to what process 1 has started;
 * or not the launcher's parent.
 */
#pragma once
#include <stdbool.h>

/* Notes a filter (struct sock_fprog, in the program's memory) that is about to be installed; false if it could not be
 * read: then the kernel will not take it either. And forgets the newest again, when it was not. */
bool mh_seccomp_add(const void *program);
void mh_seccomp_drop(void);

/* From now on nothing but read, write and exit is allowed. */
void mh_seccomp_strict(void);

/* Whether a sandbox was made for this program or its ancestors before it began. Then nothing is allowed from now on but
 * what the loader has done already. Asked before any other system call of memhook's; the answer is kept. */
bool mh_seccomp_sandboxed(void);
