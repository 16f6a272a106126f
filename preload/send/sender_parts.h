/* What the sender's parts share; for sender*.c alone.
 *
 *     sender.c              when: connects, backs off, sends a difference at each interval, ends
 *       sender_link.c       the connection: addresses, handshake and token, sending and receiving
 *       sender_peer.c       which user's memdb it is
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

/* The thread's memory. It is not inherited by children of fork. */
struct area {
  uint8_t stack[128 << 10];
  /* The thread pointer points into the middle. Compiled code may look around it for a stack canary, and finds zeros. */
  uint8_t tls[16 << 10];
  uint8_t records[MH_WIRE_BUFFER_BYTES], tables[MH_WIRE_BUFFER_BYTES], removed[REMOVED_BYTES];
  char token[4096], text[4096];
};

enum command { RUN, END, STOP };

struct mh_sender {
  uint32_t tid;       /* of the thread; the kernel clears it when the thread is gone, and wakes all waiters */
  uint32_t command;   /* enum command, for the thread */
  uint32_t settled;   /* the first attempt to connect has succeeded or failed */
  uint32_t connected;
  uint32_t finished;  /* the thread has sent its last flush, or given up */
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
/* Receives the next frame, and copies its payload, which is small. False: the connection is over, or so many
 * nanoseconds have passed (0: no limit). */
bool mh_link_receive(uint32_t type, uint8_t *payload, uint32_t bytes, uint64_t nanoseconds);
/* Whether the other end of a connection within this machine is another user's, and not root's. */
bool mh_peer_is_stranger(int fd);
/* A line for MEMHOOK_LOG. */
void mh_link_say(const char *what, const char *detail);

/* ── Differences ──────────────────────────────────────────────────────────────────────────────── */

/* A new connection has sent nothing. */
void mh_difference_begin(void);
/* Sends one difference (at first everything), and waits until memdb has it. False: the connection is over. */
bool mh_difference_send(bool last);
/* Whether the last difference reached the limit of items, and there are more. */
bool mh_difference_more(void);
/* In a child of fork, where the marks are not mapped. */
void mh_difference_forget(void);

/* ── The thread ───────────────────────────────────────────────────────────────────────────────── */

/* clone, with a stack and a thread pointer of its own; the new thread runs `run` and never returns. Its descriptors are
 * a copy. */
long mh_thread_clone(void (*run)(void), void *stack_end, void *thread_pointer, uint32_t *tid);
void mh_thread_close_descriptors(void);
/* Whether the thread may go on. libc does not know it, and does not change its user when the program gives up its
 * privileges: so the thread does that here. And it must not keep a process alive whose other threads have ended. */
bool mh_thread_belongs_here(void);
