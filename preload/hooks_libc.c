/* Hooks: libc calls that allocate for libc itself, once, and keep it: time zones, locales, the tables of getpwnam, a
 * thread's control block. That memory is live, but it is nobody's leak: it is not recorded. None of these functions
 * returns memory that the caller would have to free. */
#include "hook.h"

#define UNRECORDED(result, name, parameters, arguments)    \
  MH_HOOK result name parameters {                         \
    if (MH_UNLIKELY(!mh_real.name)) mh_real_find();        \
    bool entered = mh_enter(MH_HOOK_WRAP);                             \
    result value = mh_real.name arguments;                 \
    if (entered) mh_leave();                               \
    return value;                                          \
  }

UNRECORDED(char *, setlocale, (int category, const char *locale), (category, locale))
UNRECORDED(struct tm *, localtime, (const time_t *time), (time))
UNRECORDED(struct tm *, localtime_r, (const time_t *time, struct tm *result), (time, result))
UNRECORDED(time_t, mktime, (struct tm * time), (time))
UNRECORDED(size_t, strftime, (char *text, size_t size, const char *format, const struct tm *time), (text, size, format, time))
UNRECORDED(struct passwd *, getpwnam, (const char *name), (name))
UNRECORDED(struct passwd *, getpwuid, (uid_t id), (id))
UNRECORDED(struct group *, getgrnam, (const char *name), (name))
UNRECORDED(struct group *, getgrgid, (gid_t id), (id))
UNRECORDED(char *, dlerror, (void), ())
UNRECORDED(int, pthread_create,
           (pthread_t * thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument),
           (thread, attributes, start, argument))

MH_HOOK void tzset(void) {
  if (MH_UNLIKELY(!mh_real.tzset)) mh_real_find();
  bool entered = mh_enter(MH_HOOK_WRAP);
  mh_real.tzset();
  if (entered) mh_leave();
}
