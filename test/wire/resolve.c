/* How the sender finds memdb by name, with other files and another port than a system's own:
 *
 *     resolve HOST FOLDER PORT      FOLDER has hosts and resolv.conf, name servers listen at PORT; prints an address a
 *                                   line
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../preload/base/sys.h"
#include "../../preload/base/text.h"

static const char *folder;
static int port;

static int open_other_file(const char *path, int flags, unsigned mode) {
  char other[4096];
  snprintf(other, sizeof(other), "%s%s", folder, strrchr(path, '/'));
  return mh_open(other, flags, mode);
}

static long with_other_port(long number, long a, long b, long c, long d, long e, long f) {
  if (number != SYS_connect) return mh_syscall(number, a, b, c, d, e, f);
  struct sockaddr_in to = *(struct sockaddr_in *)b;
  to.sin_port = htons((uint16_t)port);
  return mh_syscall(number, a, (long)&to, c, d, e, f);
}

#define mh_open open_other_file
#define mh_syscall with_other_port
#include "../../preload/send/resolve.c"

int main(int argc, char **argv) {
  if (argc != 4) return 2;
  folder = argv[2];
  port = atoi(argv[3]);
  struct mh_address addresses[4];
  unsigned found = mh_resolve(argv[1], 20015, addresses, 4);
  for (unsigned i = 0; i < found; i++) {
    char text[64];
    bool v4 = addresses[i].socket.any.sa_family == AF_INET;
    if (addresses[i].socket.v4.sin_port != htons(20015)) return 3;
    puts(inet_ntop(v4 ? AF_INET : AF_INET6,
                   v4 ? (void *)&addresses[i].socket.v4.sin_addr : (void *)&addresses[i].socket.v6.sin6_addr, text,
                       sizeof(text)));
  }
  return 0;
}
