/* Gives up, for itself and all that it becomes, making memory executable that is writable or was (PR_SET_MDWE), and
 * becomes the program that its arguments name. Allocates nothing itself. */
#include "program.h"

#include <sys/prctl.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

int main(int argc, char **argv) {
  CHECK(argc > 1);
  CHECK(prctl(PR_SET_MDWE, 1 /* PR_MDWE_REFUSE_EXEC_GAIN */, 0, 0, 0) == 0);
  execv(argv[1], argv + 1);
  return 1;
}
