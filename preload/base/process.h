/* Who this process is, and whether the owner of a store is still alive. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mh_process {
  uint32_t pid, parent_pid;
  uint64_t start;          /* clock ticks since boot, as in no time namespace, 0 unknown */
  uint8_t boot_id[16];     /* zeros unknown */
  uint64_t pid_namespace;  /* inode, 0 unknown */
  int64_t monotonic_offset, boottime_offset; /* nanoseconds that the time namespace adds to these clocks */
  bool forked;             /* a child of fork, still in the image that its parent began */
  char exe[4096];          /* path, "" unknown */
  size_t exe_length;
};

extern struct mh_process mh_process;

/* Fills mh_process, at the start and in a child of fork. */
void mh_process_start(void);
void mh_process_child(void);

/* The last part of the executable's path. */
const char *mh_process_name(void);

/* Reads the command line, arguments each ended by NUL; returns its length, cut to `bytes`. */
size_t mh_process_command(char *buffer, size_t bytes);

#define MH_TICK_NANOSECONDS 10000000 /* on all machines */

/* What /proc/PID/stat says of a process. mh_process_stat_read corrects the start to that outside of all time
 * namespaces; mh_process_stat_parse does not. */
struct mh_process_stat {
  uint32_t parent_pid, threads;
  uint64_t start;
  char state;
};
bool mh_process_stat_parse(const char *text, struct mh_process_stat *stat);
bool mh_process_stat_read(uint32_t pid, struct mh_process_stat *stat);

/* Whether that is the process that started at `start` ticks (0: any), and has a thread that runs.
 * runtime/stores/liveness.ts does the same; test/vectors/liveness tests that both agree. */
bool mh_process_stat_lives(const struct mh_process_stat *stat, uint64_t start);

/* Whether the process that started at `start` ticks with this pid lives. */
bool mh_process_lives(uint32_t pid, uint64_t start);
