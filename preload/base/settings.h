/* The settings: every MEMHOOK_ variable, read once at the start. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MH_FILE_ENTRY "MEMHOOK_FILE="

enum mh_unwind { MH_UNWIND_DWARF, MH_UNWIND_FP, MH_UNWIND_LIBUNWIND };
enum mh_children { MH_CHILDREN_FOLLOW, MH_CHILDREN_FRESH, MH_CHILDREN_OFF };

struct mh_settings {
  const char *file;       /* MEMHOOK_FILE as an absolute path, NULL if unset */
  size_t file_folder;     /* bytes of it that are this process's first folder: there % is just a % */
  const char *file_entry; /* "MEMHOOK_FILE=" and that path, if it was given relative; NULL otherwise */
  const char *shm_name;   /* MEMHOOK_SHM_NAME */
  uint64_t size;          /* most bytes the store may take */
  uint64_t sample;        /* mean bytes between samples, 0: every allocation is recorded */
  uint32_t depth;         /* most frames kept of a stack */
  enum mh_unwind unwind;
  enum mh_children children;

  /* memdb; the store is in memory then. */
  const char *net_host;       /* MEMHOOK_NET_HOST, NULL if unset */
  uint16_t net_port;
  const char *net_token_file; /* NULL if unset */
  uint64_t net_interval;      /* nanoseconds a record may wait before it is sent */
  uint64_t net_items;         /* most records in one flush, 0: no limit */
};

extern struct mh_settings mh_settings;

/* Reads the environment. A value that cannot be parsed costs one line on stderr, and the default is used. */
void mh_settings_read(void);
