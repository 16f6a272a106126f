/* The sender's connection to memdb: finding it, the handshake with or without a token, sending, receiving. */
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "../base/clock.h"
#include "../base/log.h"
#include "resolve.h"
#include "sender_parts.h"
#include "../base/settings.h"
#include "sha256.h"
#include "../store/store.h"
#include "../base/sys.h"
#include "../base/text.h"

#define CONNECT_MOST (5 * SECOND)
#define HANDSHAKE_MOST (10 * SECOND)
/* A thread that waits for a socket cannot be woken. So it checks its command this often. */
#define GLANCE (50 * MILLISECOND)
#define ADDRESSES_MAX 8
#define TOKEN_BYTES_MIN 16

struct mh_link mh_link;

/* The program's standard error is not in this thread's descriptor table. It is opened for each line. */
void mh_link_say(const char *what, const char *detail) {
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
  while (mh_sender_command() != STOP) {
    struct pollfd wait = {.fd = mh_link.fd, .events = events};
    struct timespec glance = {.tv_nsec = GLANCE}; /* the kernel overwrites it with the time that was left */
    if (mh_syscall(SYS_ppoll, (long)&wait, 1, (long)&glance, 0, 0, 0) > 0) return true;
    if (nanoseconds && mh_clock_read(CLOCK_MONOTONIC) - start > nanoseconds) return false;
  }
  return false;
}

bool mh_link_send(struct mh_wire *wire) {
  mh_wire_finish(wire);
  for (size_t done = 0; done < wire->length;) {
    long sent =
        mh_syscall(SYS_sendto, mh_link.fd, (long)(wire->data + done), (long)(wire->length - done), MSG_NOSIGNAL, 0, 0);
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

bool mh_link_receive(uint32_t type, uint8_t *payload, uint32_t bytes, uint64_t nanoseconds) {
  for (;;) {
    uint32_t head[2];
    if (mh_link.in_bytes >= sizeof(head)) {
      __builtin_memcpy(head, mh_link.in, sizeof(head));
      size_t whole = MH_WIRE_FRAME_BYTES + (size_t)head[0];
      if (whole > sizeof(mh_link.in)) return false;
      if (mh_link.in_bytes >= whole) {
        bool wanted = head[1] == type && head[0] >= bytes;
        if (wanted) {
          __builtin_memcpy(payload, mh_link.in + MH_WIRE_FRAME_BYTES, bytes);
        } else if (head[1] == MH_WIRE_REFUSE && head[0] > MH_WIRE_REFUSE_TEXT) {
          mh_link.in[whole - 1] = 0;
          mh_link_say("refused by memdb at ", "");
          mh_link_say((char *)mh_link.in + MH_WIRE_FRAME_BYTES + MH_WIRE_REFUSE_TEXT, "");
        }
        mh_link.in_bytes -= whole;
        __builtin_memmove(mh_link.in, mh_link.in + whole, mh_link.in_bytes);
        return wanted;
      }
    }
    long got = mh_read(mh_link.fd, mh_link.in + mh_link.in_bytes, sizeof(mh_link.in) - mh_link.in_bytes);
    if (got > 0)
      mh_link.in_bytes += (size_t)got;
    else if (got != -EAGAIN && got != -EINTR)
      return false;
    else if (!wait_socket(POLLIN, nanoseconds))
      return false;
  }
}

/* ── Connecting ───────────────────────────────────────────────────────────────────────────────── */

/* Why there is no connection, for MEMHOOK_LOG. */
static const char *reason_of(long error) {
  switch (error) {
    case -ECONNREFUSED: return " (nobody listens there), trying again";
    case -ENOENT: return " (there is no such socket), trying again";
    case -EACCES:
    case -EPERM: return " (that is not allowed), trying again";
    case -EINPROGRESS:
    case -ETIMEDOUT: return " (no answer), trying again";
    case -ENETUNREACH:
    case -EHOSTUNREACH: return " (it cannot be reached), trying again";
    default: return ", trying again";
  }
}

/* Logs the reason, unless it was the last one logged. NULL: there is a connection. */
static void say_why(const char *reason) {
  static const char *said;
  if (reason == said) return;
  said = reason;
  if (reason) mh_link_say("no connection to memdb at ", reason);
}

/* 0, or a negated error. */
static long try_address(const struct mh_address *address) {
  int family = address->socket.any.sa_family;
  mh_link.fd = (int)mh_syscall(SYS_socket, family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, 0, 0, 0);
  if (mh_link.fd < 0) return mh_link.fd;
  if (family != AF_UNIX) {
    const int one = 1, idle = 60, between = 10, times = 3;
    mh_syscall(SYS_setsockopt, mh_link.fd, SOL_SOCKET, SO_KEEPALIVE, (long)&one, sizeof(one), 0);
    mh_syscall(SYS_setsockopt, mh_link.fd, IPPROTO_TCP, TCP_KEEPIDLE, (long)&idle, sizeof(idle), 0);
    mh_syscall(SYS_setsockopt, mh_link.fd, IPPROTO_TCP, TCP_KEEPINTVL, (long)&between, sizeof(between), 0);
    mh_syscall(SYS_setsockopt, mh_link.fd, IPPROTO_TCP, TCP_KEEPCNT, (long)&times, sizeof(times), 0);
    mh_syscall(SYS_setsockopt, mh_link.fd, IPPROTO_TCP, TCP_NODELAY, (long)&one, sizeof(one), 0);
  }
  long result = mh_syscall(SYS_connect, mh_link.fd, (long)&address->socket, address->bytes, 0, 0, 0);
  if (result == -EINPROGRESS && wait_socket(POLLOUT, CONNECT_MOST)) {
    int error = EINVAL;
    socklen_t bytes = sizeof(error);
    mh_syscall(SYS_getsockopt, mh_link.fd, SOL_SOCKET, SO_ERROR, (long)&error, (long)&bytes, 0);
    result = -error;
  }
  if (result != 0) mh_close(mh_link.fd);
  return result;
}

static bool is_space(char letter) {
  return letter == ' ' || (letter >= '\t' && letter <= '\r');
}

/* Reads the token, for each connection again. Returns its length, 0 if it cannot be read. */
static size_t read_token(const char **token) {
  char *text = mh_sender.area->token;
  long length = mh_read_file(mh_settings.net_token_file, text, sizeof(mh_sender.area->token));
  while (length > 0 && is_space(text[length - 1])) length--;
  while (length > 0 && is_space(*text)) text++, length--;
  if (length < TOKEN_BYTES_MIN) {
    mh_link_say("no token of 16 bytes or more in MEMHOOK_NET_TOKEN_FILE for ", "");
    return 0;
  }
  *token = text;
  return (size_t)length;
}

static void make_mac(const char *role, const char *token, size_t length, const uint8_t *theirs, const uint8_t *ours,
                     uint8_t mac[MH_WIRE_MAC_BYTES]) {
  const struct mh_hmac_piece pieces[3] = {
      {role, mh_length(role)}, {theirs, MH_WIRE_NONCE_BYTES}, {ours, MH_WIRE_NONCE_BYTES}};
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
  mh_wire_hello(&mh_link.tables, nonce);
  if (!mh_link_send(&mh_link.tables) ||
      !mh_link_receive(MH_WIRE_CHALLENGE, challenge, sizeof(challenge), HANDSHAKE_MOST))
    return false;
  uint32_t scheme;
  __builtin_memcpy(&scheme, challenge + MH_WIRE_CHALLENGE_SCHEME, sizeof(scheme));
  if ((scheme != MH_WIRE_SCHEME_NONE) != (token != NULL)) {
    /* A memdb that does not ask for the token is not the one that it is for. */
    mh_link_say(token ? "no token wanted by memdb at " : "MEMHOOK_NET_TOKEN_FILE is needed for memdb at ", "");
    return false;
  }
  /* It has answered, so it has accepted the connection: now the kernel knows the other end's user. */
  mh_link.stranger = !token && mh_peer_is_stranger(mh_link.fd);
  if (mh_link.stranger) return false;
  if (token) {
    make_mac("memhook sender", token, length, challenge + MH_WIRE_CHALLENGE_NONCE, nonce, mac);
    mh_wire_proof(&mh_link.tables, mac);
    if (!mh_link_send(&mh_link.tables)) return false;
    make_mac("memhook memdb", token, length, challenge + MH_WIRE_CHALLENGE_NONCE, nonce, mac);
  }
  if (!mh_link_receive(MH_WIRE_ACCEPT, accept, sizeof(accept), HANDSHAKE_MOST)) return false;
  if (token && !mh_mac_equal(accept + MH_WIRE_ACCEPT_MAC, mac)) return false;
  const struct mh_header *header = mh_header();
  const uint8_t *names = mh_store + MH_PROCESS_OFFSET;
  mh_wire_process(&mh_link.tables, header, names, names + header->exe_length);
  return mh_link_send(&mh_link.tables);
}

bool mh_link_connect(void) {
  static struct mh_address addresses[ADDRESSES_MAX];
  unsigned count = mh_resolve(mh_settings.net_host, mh_settings.net_port, addresses, ADDRESSES_MAX);
  const char *reason = " (no address is known for it), trying again";
  for (unsigned i = 0; i < count && mh_sender_command() != STOP; i++) {
    long error = try_address(&addresses[i]);
    reason = error ? reason_of(error) : NULL;
    if (error) continue;
    mh_link.in_bytes = 0;
    mh_link.stranger = false;
    mh_link.records.length = mh_link.tables.length = mh_link.removed.length = 0;
    mh_link.records.frame = mh_link.records.run = mh_link.removed.frame = 0;
    mh_difference_begin();
    if (shake_hands()) {
      say_why(NULL);
      return true;
    }
    mh_close(mh_link.fd);
    if (mh_link.stranger) reason = " (it is another user's, and no token is set), trying again";
  }
  if (mh_sender_command() != STOP) say_why(reason);
  return false;
}
