/* Does what its standard input says, a command a line, and answers each with `live COUNT BYTES`: what it holds of the
 * blocks of 5000 to 5999 bytes that are its only allocations of such a size.
 *
 *     allocate COUNT    release COUNT    churn COUNT     release and allocate in random places
 *     close             closes every descriptor but the standard ones
 *     unshare           a user namespace of its own, which needs a process of one thread; answers 0 or errno
 *     drop              gives up root, without an answer
 *     users             answers the user ids of all its threads
 *     fork              a child that allocates 3 blocks and ends; answers its pid when it has ended
 *     exit STATUS       ends
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <sys/wait.h>

#include "program.h"

enum { MOST = 200000 };
static void *blocks[MOST];
static size_t sizes[MOST], live, bytes, made;
static uint64_t random_state = 88172645463325252u;

static size_t random_below(size_t below) {
  random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
  return random_state % below;
}

NOINLINE static void allocate(size_t count) {
  for (; count && live < MOST; count--) {
    sizes[live] = 5000 + made++ % 1000;
    blocks[live] = malloc(sizes[live]);
    CHECK(blocks[live] != NULL);
    bytes += sizes[live++];
  }
}

NOINLINE static void release(size_t count) {
  for (; count && live; count--) {
    size_t at = random_below(live--);
    bytes -= sizes[at];
    free(blocks[at]);
    blocks[at] = blocks[live];
    sizes[at] = sizes[live];
  }
}

/* The user id of each thread, from what the kernel says. */
static void say_users(void) {
  DIR *tasks = opendir("/proc/self/task");
  for (struct dirent *entry; (entry = readdir(tasks));) {
    char path[300], text[2048];
    if (entry->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
    FILE *file = fopen(path, "r");
    if (!file) continue;
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    say("%d ", atoi(strstr(text, "\nUid:") + 5));
  }
  closedir(tasks);
  say("\n");
}

int main(void) {
  char line[100];
  for (;;) {
    size_t length = 0;
    while (length + 1 < sizeof line && read(0, line + length, 1) == 1 && line[length] != '\n') length++;
    line[length] = 0;
    char *space = strchr(line, ' ');
    size_t count = space ? (size_t)atol(space + 1) : 0;
    if (!strncmp(line, "allocate", 8)) allocate(count);
    else if (!strncmp(line, "release", 7)) release(count);
    else if (!strncmp(line, "churn", 5)) {
      while (count--) {
        release(1 + random_below(20));
        allocate(1 + random_below(20));
      }
    } else if (!strcmp(line, "close")) {
      for (int fd = 3; fd < 2000; fd++) close(fd);
    } else if (!strcmp(line, "unshare")) {
      say("%d\n", unshare(CLONE_NEWUSER) ? errno : 0);
      continue;
    } else if (!strcmp(line, "drop")) {
      CHECK(setgid(65534) == 0 && setuid(65534) == 0);
      continue;
    } else if (!strcmp(line, "users")) {
      say_users();
      continue;
    } else if (!strcmp(line, "fork")) {
      pid_t child = fork();
      if (!child) {
        allocate(3);
        exit(0);
      }
      CHECK(waitpid(child, NULL, 0) == child);
      say("%d\n", child);
      continue;
    } else if (!strncmp(line, "exit", 4)) exit((int)count);
    else return 1;
    say("live %zu %zu\n", live, bytes);
  }
}
