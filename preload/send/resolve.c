/* Finding memdb; see resolve.h. */
#include "resolve.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "../base/sys.h"
#include "../base/text.h"

#define NAME_BYTES 256
#define PIECE_BYTES (16 << 10)
#define SERVERS_MAX 3
#define SEARCH_MAX 6
#define ANSWER_MS 2000
#define DNS_PORT 53
#define TYPE_A 1
#define TYPE_AAAA 28

static uint16_t swap16(unsigned value) {
  return (uint16_t)(value << 8 | (value >> 8 & 0xff));
}

static void make_v4(const uint8_t bytes[4], uint16_t port, struct mh_address *address) {
  *address = (struct mh_address){.bytes = sizeof(address->socket.v4)};
  address->socket.v4.sin_family = AF_INET;
  address->socket.v4.sin_port = swap16(port);
  __builtin_memcpy(&address->socket.v4.sin_addr, bytes, 4);
}

static void make_v6(const uint8_t bytes[16], uint16_t port, struct mh_address *address) {
  *address = (struct mh_address){.bytes = sizeof(address->socket.v6)};
  address->socket.v6.sin6_family = AF_INET6;
  address->socket.v6.sin6_port = swap16(port);
  __builtin_memcpy(&address->socket.v6.sin6_addr, bytes, 16);
}

static bool parse_v4(const char *text, uint8_t bytes[4]) {
  for (int i = 0; i < 4; i++) {
    uint64_t part;
    if (!mh_parse_number(&text, &part) || part > 255 || *text != (i < 3 ? '.' : 0)) return false;
    bytes[i] = (uint8_t)part;
    text++;
  }
  return true;
}

/* "fe80::1", "::ffff:10.0.0.1" */
static bool parse_v6(const char *text, uint8_t bytes[16]) {
  uint8_t parts[16] = {0};
  int used = 0, gap = -1;
  if (text[0] == ':' && text[1] != ':') return false;
  while (*text) {
    if (text[0] == ':' && text[1] == ':') {
      if (gap >= 0) return false;
      gap = used;
      text += 2;
      continue;
    }
    if (*text == ':') text++;
    uint64_t part;
    if (used <= 12 && parse_v4(text, parts + used)) {
      used += 4;
      break;
    }
    if (used > 14 || !mh_parse_hex(&text, &part) || part > 0xffff || (*text && *text != ':')) return false;
    if (text[0] == ':' && !text[1]) return false;
    parts[used++] = (uint8_t)(part >> 8);
    parts[used++] = (uint8_t)part;
  }
  if (gap < 0 ? used != 16 : used > 14) return false;
  __builtin_memset(bytes, 0, 16);
  int front = gap < 0 ? used : gap;
  __builtin_memcpy(bytes, parts, (size_t)front);
  __builtin_memcpy(bytes + 16 - (used - front), parts + front, (size_t)(used - front));
  return true;
}

bool mh_address_parse(const char *text, uint16_t port, struct mh_address *address) {
  uint8_t bytes[16];
  if (parse_v4(text, bytes)) {
    make_v4(bytes, port, address);
    return true;
  }
  if (!parse_v6(text, bytes)) return false;
  make_v6(bytes, port, address);
  return true;
}

/* "10.0.0.7,fd00::7": `memhook run` resolves names by libc, and hands on such a list. */
static unsigned parse_list(const char *list, uint16_t port, struct mh_address *addresses, unsigned most) {
  char text[INET6_ADDRSTRLEN];
  unsigned found = 0;
  while (*list && found < most) {
    size_t length = 0;
    for (; *list && *list != ','; list++)
      if (length + 1 < sizeof(text)) text[length++] = *list;
    text[length] = 0;
    if (*list) list++;
    found += mh_address_parse(text, port, &addresses[found]);
  }
  return found;
}

static char lower(char letter) {
  return letter >= 'A' && letter <= 'Z' ? (char)(letter + 32) : letter;
}

/* ── Files ────────────────────────────────────────────────────────────────────────────────────── */

/* Calls `visit` with each word of a file and its number in the line, until it returns false. Words are in lower case;
 * one that is too long for a name is "". The file is read piece by piece: block lists make /etc/hosts long. */
static void each_word(const char *path, char *piece, bool (*visit)(unsigned number, const char *word, void *data),
                      void *data) {
  int fd = mh_open(path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return;
  char word[NAME_BYTES];
  size_t length = 0;
  unsigned number = 0;
  bool comment = false, going = true;
  for (bool ended = false; going && !ended;) {
    long got = mh_read(fd, piece, PIECE_BYTES);
    if (got == -EINTR) continue;
    ended = got <= 0;
    if (ended) piece[0] = '\n', got = 1; /* the last line may have none */
    for (const char *at = piece; going && at < piece + got; at++) {
      comment = comment || *at == '#' || *at == ';';
      if (comment || *at == ' ' || *at == '\t' || *at == '\r' || *at == '\n') {
        word[length < NAME_BYTES ? length : 0] = 0;
        if (length) going = visit(number++, word, data);
        if (*at == '\n') number = 0;
        comment = comment && *at != '\n';
        length = 0;
      } else if (length < NAME_BYTES) {
        word[length++] = lower(*at);
      }
    }
  }
  mh_close(fd);
}

/* /etc/hosts: an address and its names in each line. */
struct hosts {
  const char *host;
  uint16_t port;
  struct mh_address *addresses;
  unsigned most, found;
  bool wanted; /* the line has an address, and the host's name was not in it yet */
};

static bool hosts_word(unsigned number, const char *word, void *data) {
  struct hosts *hosts = data;
  if (!number)
    hosts->wanted = mh_address_parse(word, hosts->port, &hosts->addresses[hosts->found]);
  else if (hosts->wanted && mh_equal(word, hosts->host))
    hosts->found++, hosts->wanted = false;
  return hosts->found < hosts->most;
}

/* ── Name servers ─────────────────────────────────────────────────────────────────────────────── */

/* /etc/resolv.conf: a keyword and its values in each line. */
struct servers {
  struct mh_address addresses[SERVERS_MAX];
  unsigned count, search_count;
  char search[SEARCH_MAX][NAME_BYTES];
  enum { OTHER, SERVER, SEARCH } line;
};

static bool servers_word(unsigned number, const char *word, void *data) {
  struct servers *servers = data;
  if (!number) {
    bool search = mh_equal(word, "search") || mh_equal(word, "domain");
    servers->line = search ? SEARCH : mh_equal(word, "nameserver") ? SERVER : OTHER;
    if (search) servers->search_count = 0;
  } else if (servers->line == SERVER && number == 1 && servers->count < SERVERS_MAX) {
    servers->count += mh_address_parse(word, DNS_PORT, &servers->addresses[servers->count]);
  } else if (servers->line == SEARCH && *word && servers->search_count < SEARCH_MAX) {
    __builtin_memcpy(servers->search[servers->search_count++], word, mh_length(word) + 1);
  }
  return true;
}

/* Makes a query for the name. Returns its length, 0 if the name is not valid. */
static size_t make_query(const char *name, uint16_t type, uint16_t id, uint8_t query[NAME_BYTES + 32]) {
  static const uint8_t recursion_one_question[] = {1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
  query[0] = (uint8_t)(id >> 8);
  query[1] = (uint8_t)id;
  __builtin_memcpy(query + 2, recursion_one_question, sizeof(recursion_one_question));
  size_t at = 12;
  while (*name) {
    size_t label = 0;
    while (name[label] && name[label] != '.') label++;
    if (!label || label > 63 || at + label + 6 > NAME_BYTES + 12) return 0;
    query[at++] = (uint8_t)label;
    __builtin_memcpy(query + at, name, label);
    at += label;
    name += label;
    if (*name == '.') name++;
  }
  const uint8_t tail[] = {0, 0, (uint8_t)type, 0, 1};
  __builtin_memcpy(query + at, tail, sizeof(tail));
  return at + sizeof(tail);
}

/* The offset behind a name in a message; `length` if the name is damaged. */
static size_t skip_name(const uint8_t *message, size_t at, size_t length) {
  while (at < length) {
    if (!message[at]) return at + 1;
    if (message[at] >= 0xc0) return at + 2 <= length ? at + 2 : length;
    at += 1 + message[at];
  }
  return length;
}

static unsigned read_answer(const uint8_t *message, size_t length, uint16_t type, uint16_t port,
                            struct mh_address *addresses, unsigned most) {
  unsigned found = 0;
  if (length < 12 || !(message[2] & 0x80) || message[3] & 0x0f) return 0;
  size_t at = skip_name(message, 12, length) + 4;
  for (unsigned left = (unsigned)message[6] << 8 | message[7]; left && found < most; left--) {
    at = skip_name(message, at, length);
    if (at + 10 > length) break;
    const uint8_t *record = message + at;
    size_t bytes = (size_t)record[8] << 8 | record[9];
    at += 10 + bytes;
    if (at > length) break;
    if (record[0] || record[1] != type || bytes != (type == TYPE_A ? 4 : 16)) continue;
    if (type == TYPE_A)
      make_v4(record + 10, port, &addresses[found++]);
    else
      make_v6(record + 10, port, &addresses[found++]);
  }
  return found;
}

static unsigned ask(const struct mh_address *server, const char *name, uint16_t type, uint16_t port,
                    struct mh_address *addresses, unsigned most) {
  uint8_t query[NAME_BYTES + 32], answer[1500];
  uint16_t id;
  if (mh_syscall(SYS_getrandom, (long)&id, sizeof(id), 0, 0, 0, 0) != sizeof(id)) return 0;
  size_t length = make_query(name, type, id, query);
  if (!length) return 0;
  int fd = (int)mh_syscall(SYS_socket, server->socket.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0, 0, 0);
  if (fd < 0) return 0;
  unsigned found = 0;
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  struct timespec patience = {.tv_sec = ANSWER_MS / 1000};
  if (mh_syscall(SYS_connect, fd, (long)&server->socket, server->bytes, 0, 0, 0) == 0 &&
      mh_write(fd, query, length) == (long)length &&
      mh_syscall(SYS_ppoll, (long)&wait, 1, (long)&patience, 0, 0, 0) > 0) {
    long got = mh_read(fd, answer, sizeof(answer));
    if (got > 2 && answer[0] == query[0] && answer[1] == query[1])
      found = read_answer(answer, (size_t)got, type, port, addresses, most);
  }
  mh_close(fd);
  return found;
}

static unsigned ask_all(const struct servers *servers, const char *name, uint16_t port, struct mh_address *addresses,
                        unsigned most) {
  for (unsigned i = 0; i < servers->count; i++) {
    unsigned found = ask(&servers->addresses[i], name, TYPE_A, port, addresses, most);
    found += ask(&servers->addresses[i], name, TYPE_AAAA, port, addresses + found, most - found);
    if (found) return found;
  }
  return 0;
}

static unsigned from_servers(const char *host, uint16_t port, char *piece, struct mh_address *addresses,
                             unsigned most) {
  struct servers servers;
  servers.count = servers.search_count = 0;
  each_word("/etc/resolv.conf", piece, servers_word, &servers);
  bool dotted = false;
  for (const char *at = host; *at; at++) dotted = dotted || *at == '.';
  /* A name with a dot is usually complete, so it is asked for as it is first. One without a dot is tried with the
   * search domains first. */
  unsigned found = dotted ? ask_all(&servers, host, port, addresses, most) : 0;
  for (unsigned i = 0; i < servers.search_count && !found; i++) {
    MH_TEXT(full, NAME_BYTES);
    mh_text_add(&full, host);
    mh_text_add(&full, ".");
    mh_text_add(&full, servers.search[i]);
    if (!full.cut) found = ask_all(&servers, full.data, port, addresses, most);
  }
  return found || dotted ? found : ask_all(&servers, host, port, addresses, most);
}

unsigned mh_resolve(const char *host, uint16_t port, struct mh_address *addresses, unsigned most) {
  if (mh_starts(host, "unix:")) {
    const char *path = host + 5;
    size_t length = mh_length(path);
    if (!length || length >= sizeof(addresses->socket.local.sun_path)) return 0;
    *addresses = (struct mh_address){.bytes = sizeof(addresses->socket.local)};
    addresses->socket.local.sun_family = AF_UNIX;
    __builtin_memcpy(addresses->socket.local.sun_path, path, length);
    return 1;
  }
  unsigned found = parse_list(host, port, addresses, most);
  if (found) return found;
  char name[NAME_BYTES];
  size_t length = mh_length(host);
  char *piece = length < NAME_BYTES ? mh_map_private(PIECE_BYTES) : NULL;
  if (!piece) return 0;
  for (size_t i = 0; i <= length; i++) name[i] = lower(host[i]);
  struct hosts hosts = {.host = name, .port = port, .addresses = addresses, .most = most};
  each_word("/etc/hosts", piece, hosts_word, &hosts);
  found = hosts.found ? hosts.found : from_servers(name, port, piece, addresses, most);
  mh_munmap(piece, PIECE_BYTES);
  return found;
}
