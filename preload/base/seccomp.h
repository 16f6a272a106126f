/* Seccomp filters that the program installs. Before memhook makes a system call of its own, it runs the filters, as the
 * kernel will.
 *
 * A sandbox allows the calls that the program makes. It may kill for a call that only memhook makes. So memhook makes
 * no call that a filter would answer with anything but "allow" or an error. A store that cannot grow then drops
 * records, and counts them.
 *
 * Every filter is treated as one of all threads, for ever.
 *
 * A filter from before the program began cannot be read. There are two kinds. Containers and services have filters that
 * allow what programs do in general. A launcher that makes a sandbox for one program may kill for everything else. The
 * ancestors tell them apart: a container's or service's filter is that of all processes up to the first visible one, or
 * up to what process 1 has started. A sandbox's is not the filter of the launcher's parent.
 */
#pragma once
#include <stdbool.h>

/* Copies a filter (struct sock_fprog, in the program's memory) that is about to be installed. False: it could not be
 * read, and the kernel will refuse it. mh_seccomp_drop forgets the newest copy, if the installation failed. */
bool mh_seccomp_add(const void *program);
void mh_seccomp_drop(void);

/* From now on nothing but read, write and exit is allowed. */
void mh_seccomp_strict(void);

/* Whether a sandbox was made for this program or its ancestors before it began. Then only the calls that the loader has
 * already made are allowed from now on. Called before any other system call of memhook; the answer is kept. */
bool mh_seccomp_sandboxed(void);
