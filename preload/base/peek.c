/* Peeking; see peek.h. Both system calls return an error where a load would crash. */
#include "peek.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "sys.h"

/* The kernel reads the signal set before it looks at the operation, which is invalid: EFAULT if the set is not
 * readable, else EINVAL. Every process may make this call, it never blocks, and it changes nothing. */
bool mh_readable(uintptr_t address) {
  uintptr_t page = address & ~(uintptr_t)(MH_PAGE - 1);
  /* A null pointer means no set at all. */
  return page && mh_syscall(SYS_rt_sigprocmask, -1, (long)page, 0, 8, 0, 0) == -EINVAL;
}

/* Nearly as good: asks whether a page is readable, then reads it. The page may be unmapped in between. */
static size_t ask_then_read(void *into, uintptr_t address, size_t bytes) {
  size_t done = 0;
  while (done < bytes && mh_readable(address + done)) {
    size_t part = MH_PAGE - (address + done) % MH_PAGE;
    if (part > bytes - done) part = bytes - done;
    memcpy((char *)into + done, (const void *)(address + done), part);
    done += part;
  }
  return done;
}

size_t mh_peek_ahead(void *into, uintptr_t address, size_t least, size_t most) {
  struct iovec here = {.iov_base = into, .iov_len = most};
  struct iovec there = {.iov_base = (void *)address, .iov_len = most};
  long got = mh_syscall(SYS_process_vm_readv, mh_getpid(), (long)&here, 1, (long)&there, 1, 0);
  if (got >= 0) return (size_t)got;
  /* Not every sandbox and emulator allows that call. */
  return got == -EFAULT ? 0 : ask_then_read(into, address, least);
}
