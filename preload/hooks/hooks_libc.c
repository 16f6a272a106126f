/* Hooks: libc's functions that jump to an internal function, which allocates a time zone and keeps it. A stripped libc
 * has no name for that internal function, so no frame would say what the memory is for. The hooks call the real
 * functions, and so leave a frame with their own name. They do nothing else. */
#include "hook.h"

#define NAMED(result, name, parameters, arguments)    \
  MH_HOOK result name parameters {                    \
    MH_FIND_REAL(name);                               \
    result value = mh_real.name arguments;            \
    __asm__ volatile("" : "+r"(value)); /* no jump */ \
    return value;                                     \
  }

NAMED(struct tm *, localtime, (const time_t *time), (time))
NAMED(struct tm *, localtime_r, (const time_t *time, struct tm *result), (time, result))
NAMED(time_t, mktime, (struct tm * time), (time))
NAMED(size_t, strftime, (char *text, size_t size, const char *format, const struct tm *time),
      (text, size, format, time))
