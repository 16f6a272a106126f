/* Hooks: libc calls that jump into a function of libc's own that keeps what it allocates: a time zone. A stripped libc
 * has no name for that, so nothing on the stack would say whose memory it is. Called from here, these leave a frame,
 * which has their name. Nothing else is done. */
#include "hook.h"

#define NAMED(result, name, parameters, arguments)    \
  MH_HOOK result name parameters {                    \
    if (MH_UNLIKELY(!mh_real.name)) mh_real_find();   \
    result value = mh_real.name arguments;            \
    __asm__ volatile("" : "+r"(value)); /* no jump */ \
    return value;                                     \
  }

NAMED(struct tm *, localtime, (const time_t *time), (time))
NAMED(struct tm *, localtime_r, (const time_t *time, struct tm *result), (time, result))
NAMED(time_t, mktime, (struct tm * time), (time))
NAMED(size_t, strftime, (char *text, size_t size, const char *format, const struct tm *time),
      (text, size, format, time))
