/* quiet_child return|exit|quick_exit|_exit: a child of fork that ends so, and calls nothing of memhook's before. It
 * makes no store: what its parent has is not copied for it. The parent keeps 5 blocks of 100 bytes.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *blocks[5];

int main(int count, char **arguments) {
  for (int i = 0; i < 5; i++) blocks[i] = malloc(100);
  const char *how = count > 1 ? arguments[1] : "return";
  pid_t child = fork();
  if (child != 0) {
    int status;
    waitpid(child, &status, 0);
    return status != 0;
  }
  if (strcmp(how, "exit") == 0) exit(0);
  if (strcmp(how, "quick_exit") == 0) quick_exit(0);
  if (strcmp(how, "_exit") == 0) _exit(0);
  return 0;
}
