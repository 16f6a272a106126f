/* A family of processes with one MEMHOOK_FILE: `family STEPS FOLDER`, where
 * each letter of STEPS is a step of the newest process:
 *
 *   f  forks; the parent ends, and the child goes on when it has
 *   k  the same, but the parent kills itself
 *   w  forks; the parent waits for the child
 *   t  begins a session
 *   a  allocates 20002 bytes
 *   i  prints `waits PID` and waits for a line of input
 *   c  goes to FOLDER
 *   r  has its environment in read-only memory
 *   e v p q x l  becomes a new image of this program by execve, execv, execvp, execvpe, fexecve, execl
 *   n N s o      starts one by posix_spawn, posix_spawnp, system, popen, and waits for it
 *
 * The first one allocates 10001 bytes at the start, and those that fork 10003 in the parent before they end; the last
 * one 30001 bytes at the end. Prints `first PID` and `last PID`. The first one's store is at the path, and has all that
 * it allocated; each other process's is beside it, in the folder where the first one began.
 */
#include "program.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

extern char **environ;

static void allocate(size_t size) {
  void *volatile block = malloc(size);
  CHECK(block != NULL);
}

/* Forks, and lets the parent end in its way. The child returns when it has. */
static void leave_to_child(int killed) {
  sigset_t signals;
  int ready[2];
  char byte = 0;
  CHECK(pipe(ready) == 0);
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  CHECK(sigprocmask(SIG_BLOCK, &signals, NULL) == 0);
  pid_t child = fork();
  CHECK(child >= 0);
  if (child) {
    close(ready[1]);
    CHECK(read(ready[0], &byte, 1) == 1);
    allocate(10003);
    if (killed) kill(getpid(), SIGKILL);
    exit(0);
  }
  CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
  CHECK(write(ready[1], &byte, 1) == 1);
  CHECK(sigwaitinfo(&signals, NULL) == SIGUSR1);
  close(ready[0]);
  close(ready[1]);
}

static void wait_for(pid_t child) {
  int status;
  CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
  exit(0);
}

static void protect_environment(void) {
  char **copy = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(copy != MAP_FAILED);
  for (int i = 0; environ[i]; i++) copy[i] = environ[i];
  CHECK(mprotect(copy, 65536, PROT_READ) == 0);
  environ = copy;
}

int main(int count, char **arguments) {
  CHECK(count >= 3);
  char *next[] = {arguments[0], NULL, arguments[2], "on", NULL};
  if (count == 3) {
    allocate(10001);
    say("first %d\n", getpid());
  }
  for (char *step = arguments[1]; *step; step++) {
    next[1] = step + 1;
    char command[8192];
    snprintf(command, sizeof command, "exec '%s' '%s' '%s' on", next[0], next[1], next[2]);
    pid_t child;
    switch (*step) {
      case 'f':
      case 'k': leave_to_child(*step == 'k'); continue;
      case 'w':
        child = fork();
        if (child) wait_for(child);
        continue;
      case 't': CHECK(setsid() > 0); continue;
      case 'a': allocate(20002); continue;
      case 'i':
        say("waits %d\n", getpid());
        CHECK(read(STDIN_FILENO, command, sizeof command) > 0);
        continue;
      case 'r': protect_environment(); continue;
      case 'c': CHECK(chdir(arguments[2]) == 0); continue;
      case 'e': execve(next[0], next, environ); break;
      case 'v': execv(next[0], next); break;
      case 'p': execvp(next[0], next); break;
      case 'q': execvpe(next[0], next, environ); break;
      case 'x': fexecve(open(next[0], O_RDONLY | O_CLOEXEC), next, environ); break;
      case 'l': execl(next[0], next[0], next[1], next[2], next[3], (char *)NULL); break;
      case 'n':
        CHECK(posix_spawn(&child, next[0], NULL, NULL, next, environ) == 0);
        wait_for(child);
        break;
      case 'N':
        CHECK(posix_spawnp(&child, next[0], NULL, NULL, next, environ) == 0);
        wait_for(child);
        break;
      case 's': CHECK(system(command) == 0); return 0;
      case 'o': {
        FILE *pipe = popen(command, "r");
        char line[64];
        while (pipe && fgets(line, sizeof line, pipe)) say("%s", line);
        CHECK(pipe && pclose(pipe) == 0);
        return 0;
      }
      default: break;
    }
    CHECK(!"the step worked");
  }
  allocate(30001);
  say("last %d\n", getpid());
  return 0;
}
