/* Hooks: calls that change the process's namespaces. The kernel allows some of them only in a process with one thread,
 * so the sender's thread ends meanwhile. */
#include "hook.h"
#include "../send/sender.h"

#define ALONE(name, parameters, arguments)          \
  MH_HOOK int name parameters {                     \
    MH_FIND_REAL(name);                             \
    bool paused = mh_sender_pause();                \
    int result = mh_real.name arguments;            \
    if (paused) mh_sender_start();                  \
    return result;                                  \
  }

ALONE(unshare, (int flags), (flags))
ALONE(setns, (int fd, int type), (fd, type))
