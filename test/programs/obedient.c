/* Does what its arguments say, one after the other, to leave and end in a known way:
 *
 *   leak BYTES     allocates and never frees
 *   ready          says so on standard output
 *   wait           until a signal comes
 *   exit CODE
 *   signal NUMBER  sends it to itself
 */
#include <signal.h>

#include "program.h"

static void *volatile kept;

NOINLINE static void leak(size_t bytes) { kept = malloc(bytes); }

int main(int count, char **arguments) {
  for (int i = 1; i < count; i++) {
    const char *word = arguments[i];
    int number = i + 1 < count ? atoi(arguments[i + 1]) : 0;
    if (!strcmp(word, "ready")) {
      say("ready\n");
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
