/* Memory that libc keeps for itself, for its next call or for a thread. All of it is recorded. The viewer hides it by
 * its built-in suppressions, and counts it. Argument: the function to call; or `unjoined`, 50 threads that nobody
 * joins; or `joined`, as many one after the other. TZ names a file, so that there is something to keep. What the
 * program itself leaks is in every view:
 *
 * live 1 x 777 heap own
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <grp.h>
#include <locale.h>
#include <pthread.h>
#include <pwd.h>
#include <time.h>

#include "program.h"

static void *volatile kept;

NOINLINE static void own(void) { kept = malloc(777); }

static time_t now = 86400;
static struct tm broken;
static char text[256];

static int with_localtime(void) { return localtime(&now) != NULL; }
static int with_localtime_r(void) { return localtime_r(&now, &broken) != NULL; }
static int with_mktime(void) { return mktime(&broken) != -1; }
static int with_strftime(void) { return strftime(text, sizeof text, "%c %Z", &broken) > 0; }
static int with_tzset(void) { return tzset(), 1; }
static int with_setlocale(void) { return setlocale(LC_ALL, "C.UTF-8"), setlocale(LC_ALL, "C"), 1; }
static int with_getpwnam(void) { return getpwnam("nobody in particular"), getpwnam("root"), 1; }
static int with_getpwuid(void) { return getpwuid(getuid()), 1; }
static int with_getgrnam(void) { return getgrnam("root"), 1; }
static int with_getgrgid(void) { return getgrgid(getgid()), 1; }
static int with_dlerror(void) { return !dlopen("/nonexistent.so", RTLD_NOW) && dlerror(); }
static int with_dlsym(void) { return !dlsym(RTLD_DEFAULT, "no_such_function"); }
static int with_dlopen(void) { return dlopen("libm.so.6", RTLD_NOW), 1; }
static int with_printf(void) { return printf("x"), fflush(stdout), 1; }

#define CALLS(CALL) \
  CALL(localtime) CALL(localtime_r) CALL(mktime) CALL(strftime) CALL(tzset) CALL(setlocale) CALL(getpwnam) \
  CALL(getpwuid) \
  CALL(getgrnam) CALL(getgrgid) CALL(dlerror) CALL(dlsym) CALL(dlopen) CALL(printf)

static void *idle(void *argument) {
  if (argument) pthread_barrier_wait(argument);
  return argument;
}

static void create(int joined) {
  pthread_barrier_t all;
  pthread_barrier_init(&all, NULL, 51);
  for (int i = 0; i < 50; i++) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, idle, joined ? NULL : &all) == 0);
    if (joined) CHECK(pthread_join(thread, NULL) == 0);
  }
  if (!joined) pthread_barrier_wait(&all);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  own();
  if (strcmp(argv[1], "unjoined") == 0) create(0);
  if (strcmp(argv[1], "joined") == 0) create(1);
#define CALL(name) \
  if (strcmp(argv[1], #name) == 0) CHECK(with_##name());
  CALLS(CALL)
  return 0;
}
