/* What the sender's parts share; for sender*.c alone.
 *
 *     sender.c              when: connects, backs off, sends a difference each interval, ends
 *       sender_link.c       the connection: addresses, handshake and token, sending and receiving
 *       sender_peer.c       whose memdb it is
 *       sender_difference.c what: compares the store with what was sent last
 *       sender_thread.c     the thread as the kernel sees it
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire.h"

#define SECOND 1000000000ull
#define MILLISECOND 1000000ull
#define REMOVED_BYTES 65536

/* What the thread works in. Not in a child of fork. */
struct area {
  uint8_t stack[128 << 10];
  /* Its thread pointer leads into the middle: compiled code may look there for a stack canary, and finds zeros. */
  uint8_t tls[16 << 10];
  uint8_t records[MH_WIRE_BUFFER_BYTES], tables[MH_WIRE_BUFFER_BYTES], removed[REMOVED_BYTES];
  char token[4096], text[4096];
};

enum command { RUN, END, STOP };

struct mh_sender {
  uint32_t tid;       /* of the thread; the kernel clears it when the thread is gone, and wakes who waits */
  uint32_t command;   /* enum command, for the thread */
  uint32_t settled;   /* the first attempt to connect is over, this way or that */
  uint32_t connected;
  uint32_t finished;  /* there is nothing more to wait for at the end */
  struct area *area;
};

struct mh_link {
  int fd;
  struct mh_wire records, tables, removed; /* what is encoded and not sent yet */
  bool stranger; /* the last connection was given up because another user listens there */
  uint8_t in[4096];
  size_t in_bytes;
};

extern struct mh_sender mh_sender;
extern struct mh_link mh_link;

static inline uint32_t mh_sender_command(void) {
  return __atomic_load_n(&mh_sender.command, __ATOMIC_ACQUIRE);
}

/* ── The connection ───────────────────────────────────────────────────────────────────────────── */

/* Connects and shakes hands. False: not now. */
bool mh_link_connect(void);
/* Sends and empties a buffer. False when the connection is over. */
bool mh_link_send(struct mh_wire *wire);
/* The next frame's payload, copied: memdb's are small. False when the connection or the patience is over; 0: it never
 * is. */
bool mh_link_receive(uint32_t type, uint8_t *payload, uint32_t bytes, uint64_t nanoseconds);
/* Whether a connection within this machine leads to another user than this one and root. */
bool mh_peer_is_stranger(int fd);
/* A line for MEMHOOK_LOG. */
void mh_link_say(const char *what, const char *detail);

/* ── Differences ──────────────────────────────────────────────────────────────────────────────── */

/* A new connection has sent nothing. */
void mh_difference_begin(void);
/* Sends one difference, the first time everything, and waits until memdb has it. False when the connection is over. */
bool mh_difference_send(bool last);
/* The last difference had its full number of items, and there are more. */
bool mh_difference_more(void);
/* In a child of fork, where the marks are not mapped. */
void mh_difference_forget(void);

/* ── The thread ───────────────────────────────────────────────────────────────────────────────── */

/* clone, with a stack and a thread pointer of its own; the new thread runs `run` and never returns. Its descriptors are
 * a copy. */
long mh_thread_clone(void (*run)(void), void *stack_end, void *thread_pointer, uint32_t *tid);
void mh_thread_close_descriptors(void);
/* Whether the thread may stay. libc does not know it, so when the program gives up its privileges libc does not tell
 * it: it follows by itself. And it does not keep a process alive whose other threads have ended. */
bool mh_thread_belongs_here(void);
