/* One process, several program images: leaks, then replaces itself by exec, which frees everything at once.
 * Argument: how many images are still to come. Prints `pid PID` first. The
 * store, as it is at the end, is that of the last:
 *
 * live 3 x 70 heap leak_in_last_image
 */
#include "program.h"

NOINLINE static void leak_in_earlier_image(void) {
  for (int i = 0; i < 5; i++) keep(malloc(50), 50);
}

NOINLINE static void leak_in_last_image(void) {
  for (int i = 0; i < 3; i++) keep(malloc(70), 70);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  say("pid %d\n", (int)getpid());
  int left = atoi(argv[1]);
  if (left == 0) {
    leak_in_last_image();
    return 0;
  }
  leak_in_earlier_image();
  char next[16];
  snprintf(next, sizeof next, "%d", left - 1);
  char *arguments[] = {argv[0], next, NULL};
  execv("/proc/self/exe", arguments);
  CHECK(!"execv came back");
}
