/* Are the library's tables right when many threads use them at once? Compiled with ThreadSanitizer, with the library's
 * own sources in an ordinary executable; run.sh does that.
 *
 *     races ROUNDS        THREADS threads at a time, GENERATIONS times: states are handed from dead threads to new ones
 *
 * Every thread allocates, frees, reallocates and passes blocks to others, in the order in which the hooks call the
 * library. It also interns frames and nodes, looks up rules, and splits mappings. One thread has the modules read again
 * and again. With MEMHOOK_NET_HOST the sender, which reads all tables while they change, runs too, on a thread that
 * ThreadSanitizer knows.
 *
 * Then everything is counted, exactly:
 * - each live block is found by its address, and its record says what was recorded; no other record is left;
 * - each slot of the records array is live, or free in exactly one thread, batch or run, or waits to be given back;
 * - the counts of threads and of stacks agree with what is live; for each stack, too;
 * - each frame, node and stack is there once, refers only to earlier ones, and had the same id for all threads;
 * - each rule that is found is the right one.
 *
 * ThreadSanitizer then says whether there was a race. What it does not see, and why that is no race:
 * - A viewer reads the file, not this memory, by positional reads; ARCHITECTURE.md says what it accepts.
 * - Pages of outgrown tables are returned to the kernel (MADV_DONTNEED) under a reader. It finds zeros: a miss.
 * - Rules are exchanged by one 16-byte instruction in assembly. Readers load key, rule and key again, atomically.
 * - mh_count_flush_all, at the end of the process, flushes the counts of threads that still run, as nobody can stop
 *   them. What such a thread counts at that very moment may be missing in peak and stack totals. Live records are not
 *   concerned. It is not called here before all threads have ended.
 *
 * Helgrind is no help. It replaces malloc, so the hooks are never called. Told not to, by
 * --soname-synonyms=somalloc=nouserintercepts, it runs, but it does not know atomics and reports each of them as a
 * race.
 */
#include "races.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../preload/base/alive.h"
#include "../../preload/base/settings.h"
#include "../../preload/index/index.h"
#include "../../preload/store/store.h"

unsigned rounds;
pthread_barrier_t barrier;
struct worker workers[THREADS];
struct block *mailboxes[MAILBOXES];
uint64_t cells[CELLS];

static unsigned faults;

void fault(const char *format, ...) {
  if (__atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED) > 20) return;
  va_list arguments;
  va_start(arguments, format);
  fputs("wrong: ", stdout);
  vprintf(format, arguments);
  putchar('\n');
  va_end(arguments);
}

int main(int count, char **words) {
  rounds = count > 1 ? (unsigned)atoi(words[1]) : 1000;
  if (!mh_alive->recording) {
    puts("wrong: no store");
    return 1;
  }
  /* Nothing is recorded yet. The blocks are ThreadSanitizer's, 16 bytes apart, not glibc's; and the cells 8 bytes. */
  mh_granule_bits = 4;
  mh_index_no_grid();
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (unsigned generation = 0; generation < GENERATIONS; generation++) {
    for (unsigned i = 0; i < THREADS; i++) {
      workers[i].number = i;
      workers[i].generation = generation;
      workers[i].random += 0x9e3779b97f4a7c15u * (i + 1);
      pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    for (unsigned i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
  }
  if (mh_settings.net_host) {
    uint64_t flushes = races_end_sender();
    if (!flushes) fault("memdb acknowledged nothing");
    printf("memdb acknowledged %lu flushes\n", flushes);
  }
  check_records();
  check_counts();
  check_interned();
  if (mh_header()->dropped) fault("%lu dropped", mh_header()->dropped);
  if (!faults) puts("right");
  return faults != 0;
}
