/* Who this process is, and whether the owner of a store is still alive. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mh_process {
  uint32_t pid, parent_pid;
  uint64_t start;          /* clock ticks since boot, 0 unknown */
  uint8_t boot_id[16];     /* zeros unknown */
  uint64_t pid_namespace;  /* inode, 0 unknown */
  char exe[4096];          /* path, "" unknown */
  size_t exe_length;
};

extern struct mh_process mh_process;

/* Fills mh_process for the calling process. */
void mh_process_identify(void);

/* The last part of the executable's path. */
const char *mh_process_name(void);

/* Reads the command line, arguments each ended by NUL; returns its length, cut to `bytes`. */
size_t mh_process_command(char *buffer, size_t bytes);

/* Whether the process that started at `start` ticks with this pid lives (a zombie does not). */
bool mh_process_lives(uint32_t pid, uint64_t start);
