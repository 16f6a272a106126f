/* Which user's memdb is listening: another user may have been first at the port, and must not get a program's data.
 *
 * For a Unix socket the kernel tells the listening user. For a TCP connection within this machine, /proc/net/tcp and
 * tcp6 have an entry for each end:
 *
 *     sl  local_address rem_address   st tx:rx tr:when retrnsmt uid timeout inode
 *      7: 0100007F:4E2F 0100007F:C6A4 01 ...                    1000       0 88213
 *
 * The other end's entry has our addresses in the opposite order. runtime/memdb/peers.ts does the same in memdb. An end
 * that is in no table is on another machine, or in another network namespace. */
#include <netinet/in.h>
#include <sys/socket.h>

#include "sender_parts.h"
#include "../base/sys.h"
#include "../base/text.h"

/* The kernel returns a table in pieces, and an entry may move in between. So it is searched for more than once. */
#define LOOKS 3

union end {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
};

static void add_hex(struct mh_text *text, uint32_t value, unsigned digits) {
  mh_text_add_hex(text, value, digits, "0123456789ABCDEF");
}

/* An address and port as the table has them, for `family`'s table. */
static void add_end(struct mh_text *text, const union end *end, int family) {
  uint32_t words[4] = {0, 0, __builtin_bswap32(0xffff), 0};
  uint16_t port = __builtin_bswap16(end->any.sa_family == AF_INET ? end->v4.sin_port : end->v6.sin6_port);
  if (end->any.sa_family == AF_INET)
    words[3] = end->v4.sin_addr.s_addr;
  else
    __builtin_memcpy(words, &end->v6.sin6_addr, sizeof(words));
  for (int i = family == AF_INET ? 3 : 0; i < 4; i++) add_hex(text, words[i], 8);
  mh_text_add(text, ":");
  add_hex(text, port, 4);
}

static bool is_v4(const union end *end) {
  static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
  return end->any.sa_family == AF_INET || __builtin_memcmp(&end->v6.sin6_addr, mapped, sizeof(mapped)) == 0;
}

/* Reads the user from the entry with these ends. False: it is another entry. A closed socket has no user: *user is then
 * UINT64_MAX. */
static bool parse_entry(const char *line, const char *ends, uint64_t *user) {
  while (*line && *line != ':') line++;
  if (line[0] != ':' || line[1] != ' ' || !mh_starts(line + 2, ends)) return false;
  line += 2 + mh_length(ends);
  /* Behind the ends: st tx:rx tr:when retrnsmt uid timeout inode */
  uint64_t fields[3] = {UINT64_MAX, 0, 0};
  for (int field = 0; field < 7; field++) {
    while (*line == ' ') line++;
    if (field >= 4 && !mh_parse_number(&line, &fields[field - 4])) return false;
    while (*line && *line != ' ') line++;
  }
  *user = fields[2] ? fields[0] : UINT64_MAX;
  return true;
}

static bool find_in(const char *path, const char *ends, uint64_t *user) {
  char *text = mh_sender.area->text;
  size_t room = sizeof(mh_sender.area->text) - 1, have = 0;
  int fd = mh_open(path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return false;
  bool found = false;
  while (!found && mh_sender_command() != STOP) {
    long got = mh_read(fd, text + have, room - have);
    if (got <= 0) break;
    have += (size_t)got;
    text[have] = 0;
    char *line = text;
    for (char *at = text; *at && !found; at++) {
      if (*at != '\n') continue;
      *at = 0;
      found = parse_entry(line, ends, user);
      line = at + 1;
    }
    have -= (size_t)(line - text);
    __builtin_memmove(text, line, have);
    if (have == room) break;
  }
  mh_close(fd);
  return found;
}

/* False: the other end is in no table. */
static bool find_user(const union end *ours, const union end *theirs, uint64_t *user) {
  MH_TEXT(tcp, 64);
  MH_TEXT(tcp6, 128);
  bool v4 = is_v4(ours);
  if (v4) add_end(&tcp, theirs, AF_INET), mh_text_add(&tcp, " "), add_end(&tcp, ours, AF_INET);
  add_end(&tcp6, theirs, AF_INET6), mh_text_add(&tcp6, " "), add_end(&tcp6, ours, AF_INET6);
  for (int look = 0; look < LOOKS; look++)
    if ((v4 && find_in("/proc/net/tcp", tcp.data, user)) || find_in("/proc/net/tcp6", tcp6.data, user)) return true;
  return false;
}

bool mh_peer_is_stranger(int fd) {
  uint64_t user = 0, own = (uint64_t)mh_syscall(SYS_geteuid, 0, 0, 0, 0, 0, 0);
  union end ours = {0}, theirs = {0};
  socklen_t our_bytes = sizeof(ours), their_bytes = sizeof(theirs);
  if (mh_syscall(SYS_getsockname, fd, (long)&ours, (long)&our_bytes, 0, 0, 0) < 0) return false;
  if (ours.any.sa_family == AF_UNIX) {
    struct {
      int32_t pid;
      uint32_t user, group;
    } peer;
    socklen_t bytes = sizeof(peer);
    if (mh_syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, (long)&peer, (long)&bytes, 0) < 0) return false;
    user = peer.user;
  } else {
    if (mh_syscall(SYS_getpeername, fd, (long)&theirs, (long)&their_bytes, 0, 0, 0) < 0) return true;
    if (!find_user(&ours, &theirs, &user)) return false;
  }
  return user != 0 && user != own;
}
