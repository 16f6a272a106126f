/* The sender: brings what the store holds to memdb, from a thread of its own.
 *
 *     program's threads ──▶ store in memory ◀── scan ── sender ──▶ memdb
 *
 * With MEMHOOK_NET_HOST set the store is the same as ever, but in anonymous memory. The hooks do not know the sender
 * and never wait for it. Every flush interval it compares each record slot with what it sent last and sends the
 * difference: what lived shorter is in none. It keeps eight bytes for a slot and a few buffers, however slow or absent
 * memdb is, because what is not sent yet is nothing but the store itself. After anything that went wrong it connects
 * again and sends everything.
 *
 * The thread is made by the clone system call, unknown to libc: it can be made anywhere (also inside malloc, in a child
 * of fork, before main), it never calls what needs a thread of libc's, and libc goes on treating a single-threaded
 * program as such. All signals are blocked in it. It has a table of descriptors of its own, so the program cannot close
 * its socket, and it cannot keep the program's pipes open.
 */
#pragma once
#include <stdbool.h>

/* Starts the sender, if the settings ask for it and there is none. */
void mh_sender_start(void);

/* Lets the sender send what is left, if it is connected, or is just about to be. Waits at most two seconds. */
void mh_sender_end(void);

/* Ends the thread: for a call that only a process of one thread may make. True if there was one; then start it
 * again. */
bool mh_sender_pause(void);

/* In a child of fork, where the thread is not. */
void mh_sender_forget(void);
