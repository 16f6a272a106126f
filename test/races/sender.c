/* The sender, which reads all tables while they change, on a thread that ThreadSanitizer knows. (The library makes its
 * thread by a system call, without libc.) All else is the library's. */
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define mh_sender_start start_by_clone
#include "../../preload/send/sender.c"
#undef mh_sender_start
#include "../../preload/send/sender_difference.c"

#include "races.h"

int unshare(int flags);

static pthread_t thread;

static void *run(void *unused) {
  (void)unused;
  /* It closes all descriptors, so it needs a table of its own. */
  if (unshare(CLONE_FILES) != 0) abort();
  sender_main();
  return NULL;
}

void mh_sender_start(void) {
  if (!mh_settings.net_host || mh_sender.area) return;
  struct area *area = mh_sender.area = mh_map_private(sizeof(struct area));
  mh_link.records = (struct mh_wire){.data = area->records, .capacity = sizeof(area->records)};
  mh_link.tables = (struct mh_wire){.data = area->tables, .capacity = sizeof(area->tables)};
  mh_link.removed = (struct mh_wire){.data = area->removed, .capacity = sizeof(area->removed)};
  pthread_create(&thread, NULL, run, NULL);
}

uint64_t races_end_sender(void) {
  if (!mh_sender.area) return 0;
  set_word(&mh_sender.command, END);
  pthread_join(thread, NULL);
  return progress.sequence;
}
