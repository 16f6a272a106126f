/* The sender; see sender.h. asm/FORMAT.md, "Wire", tells what it says. */
#include "sender.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "clock.h"
#include "lock.h"
#include "log.h"
#include "resolve.h"
#include "settings.h"
#include "sha256.h"
#include "store.h"
#include "sys.h"
#include "text.h"
#include "wire.h"

#define SECOND 1000000000ull
#define MILLISECOND 1000000ull
#define BACKOFF_FIRST (100 * MILLISECOND)
/* Below the time for which memdb keeps the path of a process that it cannot see. */
#define BACKOFF_MOST (5 * SECOND)
#define CONNECT_MOST (5 * SECOND)
#define HANDSHAKE_MOST (10 * SECOND)
/* How long the end of the program may be held up: by a last flush, and by a first attempt to connect. */
#define END_MOST (2 * SECOND)
#define END_ATTEMPT_MOST (250 * MILLISECOND)
#define PAUSE_MOST SECOND
/* Nobody can wake a thread that waits for a socket; so it looks up this often. */
#define GLANCE (50 * MILLISECOND)

#define ADDRESSES_MAX 8
#define TOKEN_BYTES_MIN 16
#define REMOVED_BYTES 65536
#define MARKS_BLOCK(bytes) (MH_BLOCK_BYTES / (bytes) * sizeof(uint64_t))

/* What the thread works in. Not in a child of fork. */
struct area {
  uint8_t stack[128 << 10];
  /* Its thread pointer leads into the middle: compiled code may look there for a stack canary, and finds zeros. */
  uint8_t tls[16 << 10];
  uint8_t records[MH_WIRE_BUFFER_BYTES], tables[MH_WIRE_BUFFER_BYTES], removed[REMOVED_BYTES];
  char token[4096], text[4096];
};

enum command { RUN, END, STOP };

static struct {
  uint32_t tid;       /* of the thread; the kernel clears it when the thread is gone, and wakes who waits */
  uint32_t command;   /* enum command, for the thread */
  uint32_t settled;   /* the first attempt to connect is over, this way or that */
  uint32_t connected;
  uint32_t finished;  /* there is nothing more to wait for at the end */
  struct area *area;
  /* What was sent last, a mark for each element; 0: nothing. By block, as in the store. */
  uint64_t *record_marks[MH_BLOCK_MAX_COUNT];
  uint64_t *stack_marks[MH_TABLE_BLOCKS], *module_marks[MH_TABLE_BLOCKS];
} sender;

/* ── The connection, as far as it has come ────────────────────────────────────────────────────── */

static struct {
  int fd;
  struct mh_wire records, tables, removed;
  uint32_t sent[MH_KIND_COUNT]; /* elements of the tables */
  uint64_t sequence;
  uint32_t resume; /* slot at which a flush that had its full number of items stopped; 0: none did */
  uint8_t in[4096];
  size_t in_bytes;
} link;

static uint32_t command(void) {
  return __atomic_load_n(&sender.command, __ATOMIC_ACQUIRE);
}

static void wait_word(uint32_t *word, uint32_t value, uint64_t nanoseconds) {
  struct timespec most = {.tv_sec = (time_t)(nanoseconds / SECOND), .tv_nsec = (long)(nanoseconds % SECOND)};
  mh_syscall(SYS_futex, (long)word, FUTEX_WAIT, value, (long)&most, 0, 0);
}

static void set_word(uint32_t *word, uint32_t value) {
  __atomic_store_n(word, value, __ATOMIC_RELEASE);
  mh_syscall(SYS_futex, (long)word, FUTEX_WAKE, INT32_MAX, 0, 0, 0);
}

/* Waits until *word is not `value` any more, or so long. The kernel wakes waiters for a thread's end without FUTEX_PRIVATE. */
static bool wait_change(uint32_t *word, uint32_t value, uint64_t nanoseconds) {
  uint64_t start = mh_clock_read(CLOCK_MONOTONIC), passed = 0;
  while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value && passed < nanoseconds) {
    wait_word(word, value, nanoseconds - passed);
    passed = mh_clock_read(CLOCK_MONOTONIC) - start;
  }
  return __atomic_load_n(word, __ATOMIC_ACQUIRE) != value;
}

/* The program's standard error is not in this thread's table. It is opened for the one line. */
static void say(const char *what, const char *detail) {
  int fd = mh_open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd >= 0 && fd != 2) mh_syscall(SYS_dup3, fd, 2, O_CLOEXEC, 0, 0, 0);
  mh_log(what, mh_settings.net_host, detail);
  if (fd >= 0) mh_close(2);
  if (fd >= 0 && fd != 2) mh_close(fd);
}

/* ── Sending and receiving ────────────────────────────────────────────────────────────────────── */

/* Waits for the socket; false when the thread has to end, or so long has passed (0: for ever). */
static bool wait_socket(short events, uint64_t nanoseconds) {
  uint64_t start = mh_clock_read(CLOCK_MONOTONIC);
  while (command() != STOP) {
    struct pollfd wait = {.fd = link.fd, .events = events};
    struct timespec glance = {.tv_nsec = GLANCE}; /* the kernel writes into it what was left */
    if (mh_syscall(SYS_ppoll, (long)&wait, 1, (long)&glance, 0, 0, 0) > 0) return true;
    if (nanoseconds && mh_clock_read(CLOCK_MONOTONIC) - start > nanoseconds) return false;
  }
  return false;
}

static bool send_buffer(struct mh_wire *wire) {
  mh_wire_finish(wire);
  for (size_t done = 0; done < wire->length;) {
    long sent = mh_syscall(SYS_sendto, link.fd, (long)(wire->data + done), (long)(wire->length - done), MSG_NOSIGNAL, 0, 0);
    if (sent > 0)
      done += (size_t)sent;
    else if (sent != -EAGAIN && sent != -EINTR)
      return false;
    else if (!wait_socket(POLLOUT, 0))
      return false;
  }
  wire->length = 0;
  return true;
}

/* The next frame's payload, copied: memdb's are small. False when the connection or the patience is over. */
static bool receive(uint32_t type, uint8_t *payload, uint32_t bytes, uint64_t nanoseconds) {
  for (;;) {
    uint32_t head[2];
    if (link.in_bytes >= sizeof(head)) {
      __builtin_memcpy(head, link.in, sizeof(head));
      size_t whole = MH_WIRE_FRAME_BYTES + (size_t)head[0];
      if (whole > sizeof(link.in)) return false;
      if (link.in_bytes >= whole) {
        bool wanted = head[1] == type && head[0] >= bytes;
        if (wanted) {
          __builtin_memcpy(payload, link.in + MH_WIRE_FRAME_BYTES, bytes);
        } else if (head[1] == MH_WIRE_REFUSE && head[0] > MH_WIRE_REFUSE_TEXT) {
          link.in[whole - 1] = 0;
          say("refused by memdb at ", "");
          say((char *)link.in + MH_WIRE_FRAME_BYTES + MH_WIRE_REFUSE_TEXT, "");
        }
        link.in_bytes -= whole;
        __builtin_memmove(link.in, link.in + whole, link.in_bytes);
        return wanted;
      }
    }
    long got = mh_read(link.fd, link.in + link.in_bytes, sizeof(link.in) - link.in_bytes);
    if (got > 0)
      link.in_bytes += (size_t)got;
    else if (got != -EAGAIN && got != -EINTR)
      return false;
    else if (!wait_socket(POLLIN, nanoseconds))
      return false;
  }
}

/* ── Connecting ───────────────────────────────────────────────────────────────────────────────── */

static bool try_address(const struct mh_address *address) {
  int family = address->socket.any.sa_family;
  link.fd = (int)mh_syscall(SYS_socket, family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0, 0, 0);
  if (link.fd < 0) return false;
  if (family != AF_UNIX) {
    const int one = 1, idle = 60, between = 10, times = 3;
    mh_syscall(SYS_setsockopt, link.fd, SOL_SOCKET, SO_KEEPALIVE, (long)&one, sizeof(one), 0);
    mh_syscall(SYS_setsockopt, link.fd, IPPROTO_TCP, TCP_KEEPIDLE, (long)&idle, sizeof(idle), 0);
    mh_syscall(SYS_setsockopt, link.fd, IPPROTO_TCP, TCP_KEEPINTVL, (long)&between, sizeof(between), 0);
    mh_syscall(SYS_setsockopt, link.fd, IPPROTO_TCP, TCP_KEEPCNT, (long)&times, sizeof(times), 0);
    mh_syscall(SYS_setsockopt, link.fd, IPPROTO_TCP, TCP_NODELAY, (long)&one, sizeof(one), 0);
  }
  long result = mh_syscall(SYS_connect, link.fd, (long)&address->socket, address->bytes, 0, 0, 0);
  if (result == -EINPROGRESS && wait_socket(POLLOUT, CONNECT_MOST)) {
    int error = EINVAL;
    socklen_t bytes = sizeof(error);
    mh_syscall(SYS_getsockopt, link.fd, SOL_SOCKET, SO_ERROR, (long)&error, (long)&bytes, 0);
    result = -error;
  }
  if (result == 0) return true;
  mh_close(link.fd);
  return false;
}

static bool is_space(char letter) {
  return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

/* The token, read anew for every connection; its length, 0 if there is none to read. */
static size_t read_token(const char **token) {
  char *text = sender.area->token;
  long length = mh_read_file(mh_settings.net_token_file, text, sizeof(sender.area->token));
  while (length > 0 && is_space(text[length - 1])) length--;
  while (length > 0 && is_space(*text)) text++, length--;
  if (length < TOKEN_BYTES_MIN) {
    say("no token of 16 bytes or more in MEMHOOK_NET_TOKEN_FILE for ", "");
    return 0;
  }
  *token = text;
  return (size_t)length;
}

static void make_mac(const char *role, const char *token, size_t length, const uint8_t *theirs, const uint8_t *ours,
                     uint8_t mac[MH_WIRE_MAC_BYTES]) {
  const struct mh_piece pieces[3] = {{role, mh_length(role)}, {theirs, MH_WIRE_NONCE_BYTES}, {ours, MH_WIRE_NONCE_BYTES}};
  mh_hmac_sha256(token, length, pieces, mac);
}

static bool shake_hands(void) {
  uint8_t nonce[MH_WIRE_NONCE_BYTES] = {0}, challenge[MH_WIRE_CHALLENGE_BYTES], accept[MH_WIRE_ACCEPT_BYTES];
  uint8_t mac[MH_WIRE_MAC_BYTES];
  const char *token = NULL;
  size_t length = 0;
  if (mh_settings.net_token_file) {
    length = read_token(&token);
    if (!length || mh_syscall(SYS_getrandom, (long)nonce, sizeof(nonce), 0, 0, 0, 0) != sizeof(nonce)) return false;
  }
  mh_wire_hello(&link.tables, nonce);
  if (!send_buffer(&link.tables) || !receive(MH_WIRE_CHALLENGE, challenge, sizeof(challenge), HANDSHAKE_MOST)) return false;
  uint32_t scheme;
  __builtin_memcpy(&scheme, challenge + MH_WIRE_CHALLENGE_SCHEME, sizeof(scheme));
  if ((scheme != MH_WIRE_SCHEME_NONE) != (token != NULL)) {
    /* A memdb that does not ask is not the one that the token is for. */
    say(token ? "no token wanted by memdb at " : "MEMHOOK_NET_TOKEN_FILE is needed for memdb at ", "");
    return false;
  }
  if (token) {
    make_mac("memhook sender", token, length, challenge + MH_WIRE_CHALLENGE_NONCE, nonce, mac);
    mh_wire_proof(&link.tables, mac);
    if (!send_buffer(&link.tables)) return false;
    make_mac("memhook memdb", token, length, challenge + MH_WIRE_CHALLENGE_NONCE, nonce, mac);
  }
  if (!receive(MH_WIRE_ACCEPT, accept, sizeof(accept), HANDSHAKE_MOST)) return false;
  if (token && !mh_mac_equal(accept + MH_WIRE_ACCEPT_MAC, mac)) return false;
  const struct mh_header *header = mh_header();
  const uint8_t *names = mh_store + MH_PROCESS_OFFSET;
  mh_wire_process(&link.tables, header, names, names + header->exe_length);
  return send_buffer(&link.tables);
}

/* A new connection has sent nothing. */
static void forget_marks(void) {
  for (uint32_t i = 0; i < MH_BLOCK_MAX_COUNT && sender.record_marks[i]; i++)
    __builtin_memset(sender.record_marks[i], 0, MARKS_BLOCK(MH_RECORD_BYTES));
  for (uint32_t i = 0; i < MH_TABLE_BLOCKS && sender.stack_marks[i]; i++)
    __builtin_memset(sender.stack_marks[i], 0, MARKS_BLOCK(MH_STACK_BYTES));
  for (uint32_t i = 0; i < MH_TABLE_BLOCKS && sender.module_marks[i]; i++)
    __builtin_memset(sender.module_marks[i], 0, MARKS_BLOCK(MH_MODULE_BYTES));
  for (uint32_t kind = 0; kind < MH_KIND_COUNT; kind++) link.sent[kind] = 1;
  link.sequence = 0;
  link.resume = 0;
  link.in_bytes = 0;
  link.records.length = link.tables.length = link.removed.length = 0;
  link.records.frame = link.records.run = link.removed.frame = 0;
}

static bool connect_memdb(void) {
  static struct mh_address addresses[ADDRESSES_MAX];
  unsigned count = mh_resolve(mh_settings.net_host, mh_settings.net_port, addresses, ADDRESSES_MAX);
  for (unsigned i = 0; i < count && command() != STOP; i++) {
    if (!try_address(&addresses[i])) continue;
    forget_marks();
    if (shake_hands()) return true;
    mh_close(link.fd);
  }
  return false;
}

/* ── What has changed ─────────────────────────────────────────────────────────────────────────── */

/* 64 bits for an element's content, never 0. A change that gives the same bits in the same place happens once in 2^64. */
static uint64_t mark_of(const uint64_t *words, unsigned count) {
  uint64_t mark = 0;
  for (unsigned i = 0; i < count; i++) {
    mark = (mark ^ MH_GET(words[i])) * 0x9e3779b97f4a7c15u;
    mark ^= mark >> 32;
  }
  return mark ? mark : 1;
}

/* Where the marks of a block are; NULL if there is no memory for them. */
static uint64_t *marks_in(uint64_t **blocks, uint32_t ordinal, size_t bytes) {
  if (!blocks[ordinal]) {
    blocks[ordinal] = mh_map_private(bytes);
    if (blocks[ordinal]) mh_madvise(blocks[ordinal], bytes, MADV_DONTFORK);
  }
  return blocks[ordinal];
}

/* Two equal readings in ascending order are a record that was live between them. False: it is being changed right now. */
static bool read_record(const struct mh_record *record, struct mh_record *copy) {
  union {
    uint64_t words[sizeof(struct mh_record) / 8];
    struct mh_record record;
  } first, second;
  const uint64_t *from = (const uint64_t *)record;
  for (size_t i = 0; i < sizeof(first.words) / 8; i++) first.words[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
  for (size_t i = 0; i < sizeof(first.words) / 8; i++) second.words[i] = __atomic_load_n(&from[i], __ATOMIC_ACQUIRE);
  *copy = second.record;
  bool equal = true;
  for (size_t i = 0; i < sizeof(first.words) / 8; i++) equal = equal && first.words[i] == second.words[i];
  return equal && copy->stack < __atomic_load_n(&mh_header()->arrays[MH_KIND_STACKS].count, __ATOMIC_ACQUIRE);
}

/* Elements [first, end) of a table, block by block. */
static bool push(uint32_t kind, uint32_t bytes, uint32_t first, uint32_t end) {
  uint32_t per_block = MH_BLOCK_BYTES / bytes;
  while (first < end) {
    uint32_t here = per_block - first % per_block;
    if (here > end - first) here = end - first;
    const uint8_t *from = mh_table_blocks[kind][first / per_block] + (size_t)(first % per_block) * bytes;
    uint32_t pushed = mh_wire_elements(&link.tables, kind, first, here, bytes, from);
    if (!pushed && !send_buffer(&link.tables)) return false;
    first += pushed;
  }
  return true;
}

/* Sends the definitions that are new. Their numbers are read from the outside in, so that whatever an element refers to
 * is among what is sent before it. */
static bool push_definitions(void) {
  static const struct {
    uint32_t kind, bytes;
  } order[] = {{MH_KIND_STRINGS, 1},
               {MH_KIND_MODULES, MH_MODULE_BYTES},
               {MH_KIND_FRAMES, MH_FRAME_BYTES},
               {MH_KIND_NODES, MH_NODE_BYTES},
               {MH_KIND_STACKS, MH_STACK_BYTES}};
  enum { KINDS = sizeof(order) / sizeof(order[0]) };
  uint32_t ends[KINDS];
  for (int i = KINDS - 1; i >= 0; i--) ends[i] = __atomic_load_n(&mh_header()->arrays[order[i].kind].count, __ATOMIC_ACQUIRE);
  for (int i = 0; i < KINDS; i++) {
    if (!push(order[i].kind, order[i].bytes, link.sent[order[i].kind], ends[i])) return false;
    if (ends[i] > link.sent[order[i].kind]) link.sent[order[i].kind] = ends[i];
  }
  return true;
}

/* Sends the elements again that have changed since: totals of stacks, modules that were unloaded. */
static bool push_changes(uint32_t kind, uint32_t bytes, uint64_t **blocks, uint32_t first) {
  uint32_t per_block = MH_BLOCK_BYTES / bytes;
  for (uint32_t i = first; i < link.sent[kind]; i++) {
    uint64_t *marks = marks_in(blocks, i / per_block, per_block * sizeof(uint64_t));
    if (!marks) return false;
    const uint64_t *words = (const uint64_t *)(mh_table_blocks[kind][i / per_block] + (size_t)(i % per_block) * bytes);
    uint64_t mark = mark_of(words, bytes / 8);
    if (mark == marks[i % per_block]) continue;
    marks[i % per_block] = mark;
    if (!push(kind, bytes, i, i + 1)) return false;
  }
  return true;
}

static bool push_region(uint32_t kind, uint32_t bytes, uint32_t count, const void *elements) {
  for (uint32_t first = 0, pushed; first < count; first += pushed) {
    pushed = mh_wire_elements(&link.tables, kind, first, count - first, bytes, (const uint8_t *)elements + (size_t)first * bytes);
    if (!pushed && !send_buffer(&link.tables)) return false;
  }
  return true;
}

static bool send_records(void) {
  return push_definitions() && send_buffer(&link.tables) && send_buffer(&link.records);
}

static bool send_removed(void) {
  return send_buffer(&link.removed);
}

/* Compares the slots with what was sent, up to `most` differences. False when the connection is over. */
static bool scan(uint64_t most) {
  enum { PER_BLOCK = MH_BLOCK_BYTES / MH_RECORD_BYTES };
  uint32_t count = __atomic_load_n(&mh_header()->arrays[MH_KIND_RECORDS].count, __ATOMIC_ACQUIRE);
  uint32_t slot = link.resume ? link.resume : 1;
  link.resume = 0;
  while (slot < count) {
    uint64_t *marks = marks_in(sender.record_marks, slot / PER_BLOCK, MARKS_BLOCK(MH_RECORD_BYTES));
    if (!marks) return false;
    if (command() == STOP) return false;
    uint32_t stop = slot - slot % PER_BLOCK + PER_BLOCK;
    for (stop = stop < count ? stop : count; slot < stop; slot++) {
      const struct mh_record *record = mh_record(slot);
      uint64_t *mark = &marks[slot % PER_BLOCK];
      if (!__atomic_load_n(&record->address, __ATOMIC_ACQUIRE)) {
        if (!*mark) continue;
        while (!mh_wire_removed(&link.removed, slot))
          if (!send_removed()) return false;
        *mark = 0;
      } else {
        struct mh_record copy;
        if (!read_record(record, &copy) || !copy.address) continue;
        const uint64_t words[] = {copy.address, copy.size, copy.time};
        uint64_t now = mark_of(words, 3);
        if (*mark == now) continue;
        while (!mh_wire_record(&link.records, slot, &copy))
          if (!send_records()) return false;
        *mark = now;
      }
      if (--most == 0) {
        link.resume = slot + 1;
        return true;
      }
    }
  }
  return true;
}

/* Sends one difference, the first time everything, and waits until memdb has it. */
static bool flush(bool last) {
  struct mh_header *header = mh_header();
  bool whole = link.sequence == 0 || last || !mh_settings.net_items, resumed = link.resume != 0;
  if (!scan(whole ? UINT64_MAX : mh_settings.net_items)) return false;
  /* A last flush that goes on where another one stopped still owes the slots before. */
  if (last && resumed && !scan(UINT64_MAX)) return false;
  if (!send_records() || !send_removed()) return false;
  if (!push_changes(MH_KIND_STACKS, MH_STACK_BYTES, sender.stack_marks, 0) ||
      !push_changes(MH_KIND_MODULES, MH_MODULE_BYTES, sender.module_marks, 1) ||
      !push_region(MH_WIRE_KIND_THREADS, MH_THREAD_BYTES, MH_GET(header->thread_slots), mh_thread_slots()) ||
      !push_region(MH_WIRE_KIND_TIMELINE, MH_TIMELINE_BYTES, __atomic_load_n(&header->timeline_count, __ATOMIC_ACQUIRE), mh_timeline()))
    return false;
  while (!mh_wire_header(&link.tables, header))
    if (!send_buffer(&link.tables)) return false;
  while (!mh_wire_commit(&link.tables, link.sequence + 1, last))
    if (!send_buffer(&link.tables)) return false;
  uint64_t acknowledged;
  if (!send_buffer(&link.tables) || !receive(MH_WIRE_ACK, (uint8_t *)&acknowledged, sizeof(acknowledged), 0)) return false;
  return acknowledged == ++link.sequence;
}

/* ── The thread ───────────────────────────────────────────────────────────────────────────────── */

static void close_descriptors(void) {
  if (mh_syscall(SYS_close_range, 0, UINT32_MAX, 0, 0, 0, 0) == 0) return;
  struct {
    uint64_t soft, hard;
  } limit = {1024, 1024};
  mh_syscall(SYS_prlimit64, 0, 7 /* RLIMIT_NOFILE */, 0, (long)&limit, 0, 0);
  for (int fd = 0; fd < (limit.soft < 65536 ? (int)limit.soft : 65536); fd++) mh_close(fd);
}

/* The number behind a word of /proc/self/status. */
static bool status_number(const char *text, const char *word, unsigned index, uint64_t *number) {
  for (; *text; text++) {
    if (!mh_starts(text, word)) continue;
    text += mh_length(word);
    for (unsigned i = 0; i <= index; i++) {
      while (*text == '\t' || *text == ' ') text++;
      if (!mh_parse_number(&text, number)) return false;
    }
    return true;
  }
  return false;
}

/* Whether the thread may stay. libc does not know it, so when the program gives up its privileges libc does not tell it: it
 * follows by itself. And it does not keep a process alive whose other threads have ended. */
static bool belongs_here(void) {
  char *text = sender.area->text;
  uint64_t threads, users[3], groups[3], effective;
  if (mh_read_file("/proc/self/status", text, sizeof(sender.area->text)) < 0) return true;
  if (status_number(text, "\nThreads:", 0, &threads) && threads == 1) return false;
  for (unsigned i = 0; i < 3; i++)
    if (!status_number(text, "\nUid:", i, &users[i]) || !status_number(text, "\nGid:", i, &groups[i])) return true;
  effective = (uint64_t)mh_syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
  if (effective == users[1]) return true;
  if (effective == 0) mh_syscall(SYS_setgroups, 0, 0, 0, 0, 0, 0);
  mh_syscall(SYS_setresgid, (long)groups[0], (long)groups[1], (long)groups[2], 0, 0, 0);
  return mh_syscall(SYS_setresuid, (long)users[0], (long)users[1], (long)users[2], 0, 0, 0) == 0;
}

/* Everything from a connection to its end. */
static void serve(void) {
  say("connected to memdb at ", "");
  set_word(&sender.connected, 1);
  set_word(&sender.settled, 1);
  bool going = true;
  while (going) {
    uint32_t before = command();
    going = before != STOP && belongs_here() && flush(before == END);
    if (!going || before == END) break;
    if (!link.resume) wait_change(&sender.command, RUN, mh_settings.net_interval);
  }
  __atomic_store_n(&sender.connected, 0, __ATOMIC_RELEASE);
  mh_close(link.fd);
  if (!going) say("connection lost to memdb at ", "");
}

static __attribute__((used, noinline)) void sender_main(void) {
  mh_syscall(SYS_prctl, PR_SET_NAME, (long)"memhook", 0, 0, 0, 0);
  close_descriptors();
  uint64_t pause = BACKOFF_FIRST;
  while (command() == RUN || (command() == END && !__atomic_load_n(&sender.settled, __ATOMIC_RELAXED))) {
    if (connect_memdb()) {
      pause = BACKOFF_FIRST;
      serve();
    }
    set_word(&sender.settled, 1);
    if (command() != RUN || !belongs_here()) break;
    wait_change(&sender.command, RUN, pause);
    pause = pause * 2 < BACKOFF_MOST ? pause * 2 : BACKOFF_MOST;
  }
  set_word(&sender.settled, 1);
  set_word(&sender.finished, 1);
}

/* clone, with a stack and a thread pointer of its own; the new thread never returns. Its descriptors are a copy. */
static long clone_thread(void *stack_end, void *thread_pointer) {
  enum {
    FLAGS = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID |
            CLONE_CHILD_CLEARTID
  };
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = (long)&sender.tid;
  register long r8 __asm__("r8") = (long)thread_pointer;
  register long r12 __asm__("r12") = (long)sender_main;
  __asm__ volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "call *%%r12\n\t"
      "movl %[leave], %%eax\n\t"
      "xorl %%edi, %%edi\n\t"
      "syscall\n"
      "1:"
      : "=a"(result)
      : "a"((long)SYS_clone), "D"((long)FLAGS), "S"(stack_end), "d"(&sender.tid), "r"(r10), "r"(r8), "r"(r12), [leave] "i"(SYS_exit)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = SYS_clone;
  register long x0 __asm__("x0") = FLAGS;
  register long x1 __asm__("x1") = (long)stack_end;
  register long x2 __asm__("x2") = (long)&sender.tid;
  register long x3 __asm__("x3") = (long)thread_pointer;
  register long x4 __asm__("x4") = (long)&sender.tid;
  __asm__ volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"
      "mov x30, #0\n\t"
      "blr %[main]\n\t"
      "mov x8, %[leave]\n\t"
      "mov x0, #0\n\t"
      "svc 0\n"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), [leave] "i"(SYS_exit), [main] "r"(sender_main)
      : "memory");
  return x0;
#endif
}

/* ── For the program's threads ────────────────────────────────────────────────────────────────── */

void mh_sender_start(void) {
  if (!mh_settings.net_host || !mh_store) return;
  /* One that has sent its last flush is as good as gone. */
  uint32_t tid = __atomic_load_n(&sender.tid, __ATOMIC_ACQUIRE);
  if (tid && !(__atomic_load_n(&sender.finished, __ATOMIC_ACQUIRE) && wait_change(&sender.tid, tid, PAUSE_MOST))) return;
  if (!sender.area) {
    sender.area = mh_map_private(sizeof(struct area));
    if (!sender.area) return;
    mh_madvise(sender.area, sizeof(struct area), MADV_DONTFORK);
  }
  struct area *area = sender.area;
  link.records = (struct mh_wire){.data = area->records, .capacity = sizeof(area->records)};
  link.tables = (struct mh_wire){.data = area->tables, .capacity = sizeof(area->tables)};
  link.removed = (struct mh_wire){.data = area->removed, .capacity = sizeof(area->removed)};
  sender.command = RUN;
  sender.settled = sender.connected = sender.finished = 0;
  void **thread_pointer = (void **)(area->tls + sizeof(area->tls) / 2);
  *thread_pointer = thread_pointer;
  /* The thread inherits the mask of whoever makes it. */
  uint64_t all = UINT64_MAX, before;
  mh_syscall(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, (long)&all, (long)&before, sizeof(all), 0, 0);
  long result = clone_thread(area->stack + sizeof(area->stack), thread_pointer);
  mh_syscall(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (long)&before, 0, sizeof(before), 0, 0);
  if (result < 0) {
    sender.tid = 0;
    mh_log("no thread for sending to memdb at ", mh_settings.net_host, "");
  }
}

void mh_sender_end(void) {
  if (!__atomic_load_n(&sender.tid, __ATOMIC_ACQUIRE)) return;
  uint32_t run = RUN;
  if (!__atomic_compare_exchange_n(&sender.command, &run, END, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) return;
  set_word(&sender.command, END);
  /* A short program may be over before its first attempt to connect is. */
  wait_change(&sender.settled, 0, END_ATTEMPT_MOST);
  if (__atomic_load_n(&sender.connected, __ATOMIC_ACQUIRE)) wait_change(&sender.finished, 0, END_MOST);
}

bool mh_sender_pause(void) {
  uint32_t tid = __atomic_load_n(&sender.tid, __ATOMIC_ACQUIRE);
  if (!tid || command() != RUN) return false;
  set_word(&sender.command, STOP);
  /* Gone in time, or waiting for a name server: then it may as well stay. */
  if (!wait_change(&sender.tid, tid, PAUSE_MOST)) {
    set_word(&sender.command, RUN);
    return false;
  }
  /* The word is cleared early in the thread's end. It counts until its number is free. */
  const struct timespec nap = {.tv_nsec = MILLISECOND / 10};
  for (int turn = 0; turn < 1000 && mh_tgkill(mh_getpid(), (int)tid, 0) == 0; turn++)
    mh_syscall(SYS_nanosleep, (long)&nap, 0, 0, 0, 0, 0);
  return true;
}

void mh_sender_forget(void) {
  for (uint32_t i = 0; i < MH_BLOCK_MAX_COUNT && sender.record_marks[i]; i++) sender.record_marks[i] = NULL;
  for (uint32_t i = 0; i < MH_TABLE_BLOCKS && sender.stack_marks[i]; i++) sender.stack_marks[i] = NULL;
  for (uint32_t i = 0; i < MH_TABLE_BLOCKS && sender.module_marks[i]; i++) sender.module_marks[i] = NULL;
  sender.area = NULL;
  sender.tid = 0;
}
