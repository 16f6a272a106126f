/* Does what its arguments say, one after the other, to leave and end in a known way:
 *
 *   leak BYTES     allocates and never frees
 *   ready          says so on standard output
 *   pid            says `pid PID` there
 *   daemon         goes on as a daemon does: a child in a session of its own, and what was started ends with 0
 *   child CODE     goes on as a child when its parent has ended, with CODE
 *   wait           until a signal comes
 *   exit CODE
 *   signal NUMBER  sends it to itself
 */
#include <signal.h>

#include "program.h"

static void *volatile kept;

NOINLINE static void leak(size_t bytes) { kept = malloc(bytes); }

/* The end of a pipe that nobody writes into tells of the parent's. */
static void go_on_as_child(int code) {
  int ends[2];
  char nothing;
  CHECK(pipe(ends) == 0);
  if (fork() > 0) _exit(code);
  close(ends[1]);
  CHECK(read(ends[0], &nothing, 1) == 0);
}

int main(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    const char *word = arguments[i];
    int number = i + 1 < count ? atoi(arguments[i + 1]) : 0;
    if (!strcmp(word, "ready")) {
      say("ready\n");
    } else if (!strcmp(word, "pid")) {
      say("pid %d\n", (int)getpid());
    } else if (!strcmp(word, "daemon")) {
      CHECK(daemon(1, 1) == 0);
    } else if (!strcmp(word, "child")) {
      go_on_as_child(number);
      i++;
    } else if (!strcmp(word, "wait")) {
      pause();
    } else if (!strcmp(word, "leak")) {
      leak((size_t)number);
      i++;
    } else if (!strcmp(word, "exit")) {
      exit(number);
    } else if (!strcmp(word, "signal")) {
      raise(number);
      i++;
    }
  }
  return 0;
}
