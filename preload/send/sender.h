/* The sender: sends the store's contents to memdb, in a thread of its own.
 *
 *     program's threads ──▶ store in memory ◀── scan ── sender ──▶ memdb
 *
 * With MEMHOOK_NET_HOST the store is as without it, but in memory. The hooks do not know the sender, and never wait for
 * it. At each flush interval the sender compares each record slot with what it sent last, and sends the difference. A
 * block that lived shorter is in no difference. The sender needs eight bytes for each slot and a few buffers, however
 * slow or absent memdb is: it queues nothing, because what is not sent yet is still in the store. After an error it
 * connects again and sends everything.
 *
 * The thread is made by the clone system call, without libc's knowledge. So it can be made anywhere: inside malloc, in
 * a child of fork, before main. It calls nothing that needs a thread of libc's. And libc still treats a single-threaded
 * program as such. All signals are blocked in the thread. It has a descriptor table of its own: the program cannot
 * close its socket, and it does not keep the program's pipes open.
 */
#pragma once
#include <stdbool.h>

/* Starts the sender, if the settings ask for it and there is none. */
void mh_sender_start(void);

/* Has the sender send the rest, if it is connected or just about to be. Waits at most two seconds. */
void mh_sender_end(void);

/* Ends the thread, for a call that only a process with one thread may make. True: there was one, and it must be started
 * again. */
bool mh_sender_pause(void);

/* In a child of fork, where the thread is not. */
void mh_sender_forget(void);
