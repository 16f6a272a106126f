/* The library's answer to "does this process live?", for test/runtime/stores/liveness.test.ts: reads "START LENGTH\n"
 * and LENGTH bytes of a /proc/PID/stat from standard input, again and again, and prints 1 or 0 for each. */
#include <stdio.h>

#include "../../../preload/base/process.h"

int main(void) {
  unsigned long start, length;
  static char text[4096];
  while (scanf("%lu %lu%*1[\n]", &start, &length) == 2 && length < sizeof(text)) {
    if (fread(text, 1, length, stdin) != length) return 1;
    text[length] = 0;
    struct mh_process_stat stat;
    puts(mh_process_stat_parse(text, &stat) && mh_process_stat_lives(&stat, start) ? "1" : "0");
  }
  return 0;
}
