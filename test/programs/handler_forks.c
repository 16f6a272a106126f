/* A signal handler forks. The child returns from the handler into the interrupted code, usually one of memhook's hooks,
 * goes on, and ends. Arguments: KIND (fork, _Fork, clone, instruction) and the number of children. The program
 * allocates, reallocates and maps all the time. Prints `killed COUNT STATUS`: how many children did not end with 0, and
 * how the last of them ended.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "program.h"

enum { SLOTS = 64 };

static volatile sig_atomic_t is_child;
static volatile int wanted, forks, killed, last;
static pid_t (*make)(void);

static pid_t bare(void) {
  return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0);
}

static void handler(int signal) {
  (void)signal;
  if (is_child || forks >= wanted) return;
  pid_t child = make();
  if (child == 0) {
    is_child = 1;
    alarm(20);
    return;
  }
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child) return;
  forks++;
  if (status) killed++, last = status;
}

static pid_t unheard(void) {
  return (pid_t)fork_by_instruction();
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  wanted = atoi(argv[2]);
  make = fork;
  if (strcmp(argv[1], "clone") == 0) make = bare;
  if (strcmp(argv[1], "instruction") == 0) make = unheard;
  if (strcmp(argv[1], "_Fork") == 0) {
    *(void **)&make = dlsym(RTLD_DEFAULT, "_Fork");
    if (!make) make = bare;
  }
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  CHECK(sigaction(SIGPROF, &action, NULL) == 0);
  struct itimerval often = {.it_interval = {.tv_usec = 1000}, .it_value = {.tv_usec = 1000}};
  CHECK(setitimer(ITIMER_PROF, &often, NULL) == 0);
  void *kept[SLOTS] = {0};
  uint64_t random = 1;
  for (int turn = 0; forks < wanted; turn += is_child) {
    if (turn > 1000) _exit(0);
    uint64_t r = next_random(&random);
    void **slot = &kept[r % SLOTS];
    size_t size = 16 + (r >> 8) % 500;
    if (r >> 60 == 0) {
      void *region = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      CHECK(region != MAP_FAILED && munmap(region, 65536) == 0);
    } else if (r >> 60 < 4) {
      *slot = realloc(*slot, size);
    } else {
      free(*slot);
      *slot = malloc(size);
    }
  }
  setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL);
  say("killed %d 0x%x\n", killed, (unsigned)last);
  return 0;
}
