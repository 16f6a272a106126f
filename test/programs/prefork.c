/* A prefork server: the master configures, forks workers that share its socket, and
 * replaces one that is killed. Each worker leaks a block for each request; the master
 * is its own client. Prints `worker PID REQUESTS` for each. The master's store:
 *
 * live 20 x 100 heap configure
 *
 * and a worker's, besides one block of 77 bytes of `serve` for each of its requests:
 *
 * worker live 20 x 100 heap configure
 */
#define _GNU_SOURCE 1
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "program.h"

enum { WORKERS = 4, REQUESTS = 400 };

static int listening;
static struct sockaddr_un address;
static socklen_t address_bytes;
static struct worker {
  pid_t pid;
  int requests;
} workers[WORKERS + 1];
static volatile sig_atomic_t stopped;

NOINLINE static void configure(void) {
  for (int i = 0; i < 20; i++) {
    void *volatile block = malloc(100);
    CHECK(block != NULL);
  }
}

NOINLINE static void serve(int connection) {
  void *volatile leak = malloc(77), *volatile passing = malloc(1000);
  CHECK(leak != NULL && passing != NULL);
  free(passing);
  pid_t self = getpid();
  CHECK(write(connection, &self, sizeof self) == sizeof self);
}

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static void start(struct worker *worker) {
  worker->pid = fork();
  CHECK(worker->pid >= 0);
  if (worker->pid > 0) return;
  sigset_t term, before;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  while (!stopped) {
    sigprocmask(SIG_BLOCK, &term, &before);
    fd_set ready;
    FD_ZERO(&ready);
    FD_SET(listening, &ready);
    sigset_t none;
    sigemptyset(&none);
    int count = stopped ? -1 : pselect(listening + 1, &ready, NULL, NULL, NULL, &none);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (count <= 0) continue;
    int connection = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    if (connection < 0) continue; /* another worker was first */
    serve(connection);
    close(connection);
  }
  exit(0);
}

static void ask(void) {
  int connection = socket(AF_UNIX, SOCK_STREAM, 0);
  pid_t pid = 0;
  CHECK(connection >= 0 && connect(connection, (struct sockaddr *)&address, address_bytes) == 0);
  CHECK(read(connection, &pid, sizeof pid) == sizeof pid);
  close(connection);
  for (int i = 0; i <= WORKERS; i++)
    if (workers[i].pid == pid) workers[i].requests++;
}

static void end(const struct worker *worker, int signal) {
  int status = -1;
  CHECK(kill(worker->pid, signal) == 0 && waitpid(worker->pid, &status, 0) == worker->pid);
  CHECK(signal == SIGKILL ? WIFSIGNALED(status) : status == 0);
}

int main(void) {
  configure();
  /* For the workers, before there is one: a worker may be told to end before it has done anything. */
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
  address.sun_family = AF_UNIX;
  /* In the abstract space: no file is left behind. */
  address_bytes = (socklen_t)(sizeof address.sun_family + 1 +
                              (size_t)snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "memhook-prefork-%d",
                                  (int)getpid()));
  CHECK(bind(listening, (struct sockaddr *)&address, address_bytes) == 0 && listen(listening, 64) == 0);
  for (int i = 0; i < WORKERS; i++) start(&workers[i]);
  for (int i = 0; i < REQUESTS / 2; i++) ask();
  end(&workers[0], SIGKILL);
  start(&workers[WORKERS]);
  for (int i = 0; i < REQUESTS / 2; i++) ask();
  for (int i = 1; i <= WORKERS; i++) end(&workers[i], SIGTERM);
  int requests = 0;
  for (int i = 0; i <= WORKERS; i++) {
    say("worker %d %d\n", (int)workers[i].pid, workers[i].requests);
    requests += workers[i].requests;
  }
  CHECK(requests == REQUESTS);
  return 0;
}
