/* Both ends of the wire in C, for bench/memdb.ts: a sender that is faster than any receiver, because it only copies
 * what it has encoded before, a receiver that does nothing but count, and one that also puts each record in its
 * slot, unchecked, in memory that is fresh as memdb's: what of memdb's time is memory's.
 *
 *     traffic count PORT                                     prints "listening", serves until it is killed
 *     traffic look PORT                                      the same, but looks at each record whether it is live
 *     traffic store PORT                                     the same
 *     traffic send PORT SESSIONS RECORDS                     prints the seconds of each part; waits for a line in
 *                                                            between
 *
 * Each session sends RECORDS / SESSIONS records as a snapshot, in neighbouring slots; then as many as differences:
 * every fourth slot in ascending order, as the library's sender goes through its slots, four times; then it removes
 * them all in the same order. Every part ends with an acknowledged commit.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../preload/send/wire.h"

#define STACKS 1000
#define PEERS_MAX 64

static void fail(const char *what) {
  fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
  exit(1);
}

static struct sockaddr_in loopback(const char *port) {
  return (struct sockaddr_in){
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length) {
    ssize_t done = write(fd, bytes, length);
    if (done < 0) fail("write");
    bytes += done;
    length -= (size_t)done;
  }
}

static void read_all(int fd, uint8_t *bytes, size_t length) {
  while (length) {
    ssize_t done = read(fd, bytes, length);
    if (done <= 0) fail("read");
    bytes += done;
    length -= (size_t)done;
  }
}

/* ── Counting ─────────────────────────────────────────────────────────────────────────────────── */

struct peer {
  size_t filled;
  uint8_t *buffer;
  struct mh_record *slots; /* when storing */
};

enum { BUFFER = 1 << 20, SLOTS_MAX = 1 << 26 };
static uint64_t counted;
static bool looking, storing;

/* Records whose address says that they are live. */
static uint64_t live_in(const uint8_t *run, uint32_t count) {
  uint64_t live = 0, address;
  for (const uint8_t *record = run + MH_WIRE_RUN_BYTES; count; count--, record += MH_RECORD_BYTES) {
    memcpy(&address, record + offsetof(struct mh_record, address), sizeof(address));
    live += address != 0;
  }
  return live;
}

static void store(struct mh_record *slots, const uint8_t *run, uint32_t count) {
  uint32_t first;
  memcpy(&first, run + MH_WIRE_RUN_FIRST, 4);
  if (first < SLOTS_MAX && count < SLOTS_MAX - first)
    memcpy(&slots[first], run + MH_WIRE_RUN_BYTES, count * MH_RECORD_BYTES);
}

static void answer(int fd, uint32_t type, const void *payload, uint32_t bytes) {
  uint8_t out[64];
  memcpy(out, &bytes, 4);
  memcpy(out + 4, &type, 4);
  memcpy(out + 8, payload, bytes);
  write_all(fd, out, 8 + bytes);
}

/* Takes the complete frames; counts records by their runs, and removals. */
static void take(struct peer *peer, int fd) {
  static const uint8_t zeros[MH_WIRE_CHALLENGE_BYTES];
  size_t at = 0;
  while (peer->filled - at >= MH_WIRE_FRAME_BYTES) {
    const uint8_t *frame = peer->buffer + at;
    uint32_t length, type;
    memcpy(&length, frame, 4);
    memcpy(&type, frame + 4, 4);
    if (peer->filled - at < MH_WIRE_FRAME_BYTES + length) break;
    const uint8_t *payload = frame + MH_WIRE_FRAME_BYTES;
    if (type == MH_WIRE_HELLO) {
      answer(fd, MH_WIRE_CHALLENGE, zeros, MH_WIRE_CHALLENGE_BYTES);
      answer(fd, MH_WIRE_ACCEPT, zeros, MH_WIRE_ACCEPT_BYTES);
    } else if (type == MH_WIRE_RECORDS) {
      for (uint32_t run = 0, count; run < length; run += MH_WIRE_RUN_BYTES + count * MH_RECORD_BYTES) {
        memcpy(&count, payload + run + MH_WIRE_RUN_COUNT, 4);
        counted += looking ? live_in(payload + run, count) : count;
        if (storing) store(peer->slots, payload + run, count);
      }
    } else if (type == MH_WIRE_REMOVED) {
      counted += length / 4;
      for (uint32_t i = 0, slot; storing && i < length; i += 4) {
        memcpy(&slot, payload + i, 4);
        if (slot < SLOTS_MAX) peer->slots[slot].address = 0;
      }
    } else if (type == MH_WIRE_COMMIT) {
      answer(fd, MH_WIRE_ACK, payload, MH_WIRE_ACK_BYTES);
    }
    at += MH_WIRE_FRAME_BYTES + length;
  }
  peer->filled -= at;
  memmove(peer->buffer, peer->buffer + at, peer->filled);
}

static int count(const char *port) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct sockaddr_in address = loopback(port);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(listener, 64) < 0) fail("listen");
  socklen_t bytes = sizeof(address);
  getsockname(listener, (struct sockaddr *)&address, &bytes);
  printf("listening on port %d\n", ntohs(address.sin_port));
  fflush(stdout);
  struct pollfd polls[1 + PEERS_MAX] = {{.fd = listener, .events = POLLIN}};
  struct peer peers[1 + PEERS_MAX] = {0};
  nfds_t used = 1;
  for (;;) {
    poll(polls, used, -1);
    for (nfds_t i = 1; i < used; i++) {
      if (!polls[i].revents) continue;
      ssize_t got = read(polls[i].fd, peers[i].buffer + peers[i].filled, BUFFER - peers[i].filled);
      if (got > 0) {
        peers[i].filled += (size_t)got;
        take(&peers[i], polls[i].fd);
        continue;
      }
      close(polls[i].fd);
      free(peers[i].buffer);
      if (storing) munmap(peers[i].slots, SLOTS_MAX * sizeof(struct mh_record));
      polls[i] = polls[--used];
      peers[i] = peers[used];
      i--;
    }
    if (polls[0].revents && used <= PEERS_MAX) {
      polls[used] = (struct pollfd){.fd = accept(listener, NULL, NULL), .events = POLLIN};
      setsockopt(polls[used].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
      peers[used] = (struct peer){.buffer = malloc(BUFFER)};
      if (storing) {
        peers[used].slots = mmap(NULL, SLOTS_MAX * sizeof(struct mh_record), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (peers[used].slots == MAP_FAILED) fail("mmap");
      }
      used++;
    }
  }
}

/* ── Sending ──────────────────────────────────────────────────────────────────────────────────── */

static struct mh_wire parts[3]; /* snapshot, differences, removals */
static int sockets[PEERS_MAX];

/* Adds to a part, which has room for everything. */
static void must(bool fits) {
  if (!fits) fail("the buffer is too small");
}

static void encode(uint32_t records) {
  size_t capacity = ((size_t)records * 45) + (4 << 20);
  for (int i = 0; i < 3; i++) parts[i] = (struct mh_wire){.data = malloc(capacity), .capacity = capacity};
  struct mh_frame frames[STACKS] = {0};
  struct mh_node nodes[STACKS];
  struct mh_stack stacks[STACKS] = {0};
  for (uint32_t i = 0; i < STACKS; i++) {
    frames[i].offset = i;
    nodes[i] = (struct mh_node){.parent = i, .frame = i + 1};
    stacks[i].node = i + 1;
  }
  must(mh_wire_elements(&parts[0], MH_KIND_FRAMES, 1, STACKS, sizeof(frames[0]), frames) == STACKS);
  must(mh_wire_elements(&parts[0], MH_KIND_NODES, 1, STACKS, sizeof(nodes[0]), nodes) == STACKS);
  must(mh_wire_elements(&parts[0], MH_KIND_STACKS, 1, STACKS, sizeof(stacks[0]), stacks) == STACKS);
  for (uint32_t i = 0; i < records; i++) {
    uint32_t quarter = (records + 3) / 4, other = i % quarter * 4 + i / quarter;
    for (int part = 0; part < 2; part++) {
      uint32_t slot = part == 0 ? i : other;
      struct mh_record record = {
          .address = 0x10000 + 64ull * slot, .size = i % 500, .time = i, .thread = 1, .stack = 1 + i % STACKS};
      must(mh_wire_record(&parts[part], slot + 1, &record));
    }
    must(mh_wire_removed(&parts[2], other + 1));
  }
  for (int i = 0; i < 3; i++) must(mh_wire_commit(&parts[i], (uint64_t)i + 1, false));
}

static void open_session(int fd, uint32_t pid) {
  uint8_t buffer[1024], answers[2 * MH_WIRE_FRAME_BYTES + MH_WIRE_CHALLENGE_BYTES + MH_WIRE_ACCEPT_BYTES];
  struct mh_wire wire = {.data = buffer, .capacity = sizeof(buffer)};
  struct mh_header header = {.version_major = MH_STORE_VERSION_MAJOR, .pointer_bytes = 8, .pid = pid,
      .depth_limit = STACKS,
                             .exe_length = 7, .machine = 62, .page_bytes = 4096};
  static const uint8_t nonce[MH_WIRE_NONCE_BYTES];
  mh_wire_hello(&wire, nonce);
  write_all(fd, buffer, wire.length);
  read_all(fd, answers, sizeof(answers));
  wire.length = 0;
  mh_wire_process(&wire, &header, "traffic", "");
  write_all(fd, buffer, wire.length);
}

static void *send_part(void *argument) {
  const struct { int fd, part; } *work = argument;
  uint8_t acknowledgement[MH_WIRE_FRAME_BYTES + MH_WIRE_ACK_BYTES];
  write_all(work->fd, parts[work->part].data, parts[work->part].length);
  read_all(work->fd, acknowledgement, sizeof(acknowledgement));
  return NULL;
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int send_all(const char *port, int sessions, uint32_t records) {
  if (sessions < 1 || sessions > PEERS_MAX) fail("1 to 64 sessions");
  encode(records / (uint32_t)sessions);
  struct sockaddr_in address = loopback(port);
  for (int i = 0; i < sessions; i++) {
    sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(sockets[i], (struct sockaddr *)&address, sizeof(address)) < 0) fail("connect");
    open_session(sockets[i], 1000 + (uint32_t)i);
  }
  for (int part = 0; part < 3; part++) {
    pthread_t threads[PEERS_MAX];
    struct { int fd, part; } work[PEERS_MAX];
    double start = now();
    for (int i = 0; i < sessions; i++) {
      work[i].fd = sockets[i];
      work[i].part = part;
      if (pthread_create(&threads[i], NULL, send_part, &work[i])) fail("thread");
    }
    for (int i = 0; i < sessions; i++) pthread_join(threads[i], NULL);
    printf("%.6f\n", now() - start);
    fflush(stdout);
    getchar();
  }
  return 0;
}

int main(int argc, char **argv) {
  storing = argc == 3 && !strcmp(argv[1], "store");
  looking = argc == 3 && !strcmp(argv[1], "look");
  if (storing || looking || (argc == 3 && !strcmp(argv[1], "count"))) return count(argv[2]);
  if (argc == 5 && !strcmp(argv[1], "send")) return send_all(argv[2], atoi(argv[3]), (uint32_t)atol(argv[4]));
  fprintf(stderr, "traffic count|look|store PORT | traffic send PORT SESSIONS RECORDS\n");
  return 2;
}
