/* Waits in every call that a stop could end with EINTR, in a thread each, and holds a child and a pipe.
 *
 * Says "ready" and then answers each line on standard input with "fine", or with what went wrong: a call that returned,
 * a SIGCHLD, a child that wait knows and should not, a descriptor that was not there. Of "clones" it says whether there
 * is any child, ended or not. Of "eof" it closes the writing end of its pipe, and says whether the reading end knows
 * that at once. At the end of the input it exits with 0.
 *
 *   waiting [sandboxed]     with a seccomp filter, which allows everything
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *volatile returned;
static volatile sig_atomic_t children;

static void on_child(int signal) {
  (void)signal;
  children++;
}

static const struct timespec long_time = {1000, 0};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

static void wait_poll(void) { poll(NULL, 0, 1000000); }
static void wait_ppoll(void) { ppoll(NULL, 0, &long_time, NULL); }
static void wait_select(void) { select(0, NULL, NULL, NULL, &(struct timeval){1000, 0}); }
static void wait_epoll(void) { epoll_wait(epoll_create1(0), &(struct epoll_event){0}, 1, 1000000); }
static void wait_sleep(void) { nanosleep(&long_time, NULL); }
static void wait_clock(void) { clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, NULL); }
static void wait_pause(void) { pause(); }
static void wait_suspend(void) {
  sigset_t none;
  sigemptyset(&none);
  sigsuspend(&none);
}
static void wait_signal(void) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR2);
  sigtimedwait(&one, NULL, &long_time);
}
static void wait_semaphore(void) {
  int set = semget(IPC_PRIVATE, 1, 0600);
  struct sembuf down = {0, -1, 0};
  semtimedop(set, &down, 1, &long_time);
  semctl(set, 0, IPC_RMID);
}
static void wait_receive(void) {
  int pair[2];
  char byte;
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){1000, 0}, sizeof(struct timeval));
  recv(pair[0], &byte, 1, 0);
}
static void wait_read(void) {
  int ends[2];
  char byte;
  if (pipe(ends) == 0 && read(ends[0], &byte, 1) < 0) perror("read");
}
static void wait_condition(void) {
  pthread_mutex_lock(&mutex);
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += 1000;
  while (pthread_cond_timedwait(&condition, &mutex, &until) == 0) {}
}

static const struct {
  const char *name;
  void (*wait)(void);
} calls[] = {
    {"poll", wait_poll},
    {"ppoll", wait_ppoll},
    {"select", wait_select},
    {"epoll_wait", wait_epoll},
    {"nanosleep", wait_sleep},
    {"clock_nanosleep", wait_clock},
    {"pause", wait_pause},
    {"sigsuspend", wait_suspend},
    {"sigtimedwait", wait_signal},
    {"semtimedop", wait_semaphore},
    {"recv", wait_receive},
    {"read", wait_read},
    {"futex", wait_condition},
};

static void *run(void *which) {
  size_t i = (size_t)which;
  calls[i].wait();
  returned = calls[i].name;
  return NULL;
}

static int descriptors(void) {
  DIR *folder = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(folder)) count++;
  closedir(folder);
  return count;
}

static void sandbox(void) {
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {1, &allow};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) exit(3);
}

int main(int count, char **arguments) {
  (void)arguments;
  if (count > 1) sandbox();
  signal(SIGCHLD, on_child);
  signal(SIGUSR2, SIG_DFL);
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, (void *)i)) return 3;
  }
  int ends[2];
  if (pipe(ends)) return 3;
  usleep(100000);
  int before = descriptors();
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ready");
  for (char line[64]; fgets(line, sizeof line, stdin);) {
    int now = descriptors();
    pid_t unknown = waitpid(-1, NULL, WNOHANG);
    if (strcmp(line, "clones\n") == 0) {
      puts(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD ? "fine" : "there is a child");
    } else if (strcmp(line, "eof\n") == 0) {
      close(ends[1]);
      struct pollfd reading = {.fd = ends[0]};
      puts(poll(&reading, 1, 0) == 1 && reading.revents & POLLHUP ? "fine" : "the end of the pipe is not known");
    } else if (returned) printf("%s returned\n", returned);
    else if (children) printf("%d SIGCHLD\n", (int)children);
    else if (unknown != -1) printf("wait: %d\n", unknown);
    else if (now != before) printf("%d descriptors, not %d\n", now, before);
    else puts("fine");
  }
  return 0;
}
