/* Resolving memdb's host name, without libc's resolver: that allocates, takes locks, and needs a thread that libc
 * knows. Addresses are parsed. For a name, /etc/hosts is read, then the name servers of /etc/resolv.conf are asked over
 * UDP. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

struct mh_address {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
  } socket;
  socklen_t bytes;
};

/* Parses an IPv4 or IPv6 address. */
bool mh_address_parse(const char *text, uint16_t port, struct mh_address *address);

/* Finds the addresses of `host` ("unix:/path", addresses with commas between them, or a name), the preferred ones
 * first. Returns their number, at most `most`. May take some seconds. */
unsigned mh_resolve(const char *host, uint16_t port, struct mh_address *addresses, unsigned most);
