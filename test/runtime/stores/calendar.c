/* The library's calendar by a clock of the test's own, for test/runtime/stores/calendar.test.ts: reads "MONOTONIC WALL
 * BOOTTIME" in seconds from standard input, again and again. The first is the store's start; at each of the others the
 * writer looks. Prints the header's calendar. */
#include <stdio.h>

#include "../../../preload/store/calendar.h"
#include "../../../preload/base/clock.h"
#include "../../../preload/base/process.h"

static union {
  struct mh_header header;
  uint8_t bytes[MH_HEADER_BYTES];
} page;
static double monotonic, wall, boottime;

uint8_t *mh_store = page.bytes;
uint64_t mh_clock_start;
bool mh_clock_is_coarse;
struct mh_process mh_process = {.monotonic_offset = -5000000000, .boottime_offset = 7000000000};

static int tell(clockid_t clock, struct timespec *now) {
  double seconds = clock == CLOCK_MONOTONIC ? monotonic - 5 : clock == CLOCK_REALTIME ? wall : boottime + 7;
  *now = (struct timespec){(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  return 0;
}
int (*mh_clock_gettime)(clockid_t clock, struct timespec *now) = tell;

static double in_seconds(uint64_t nanoseconds) { return (double)nanoseconds / 1e9; }

int main(void) {
  struct mh_header *header = &page.header;
  const struct mh_calendar *calendar = &header->calendar;
  for (int turn = 0; scanf("%lf %lf %lf", &monotonic, &wall, &boottime) == 3; turn++) {
    if (turn)
      mh_calendar_look(mh_clock_now());
    else
      mh_calendar_start(header);
  }
  printf("start %g %g %g %g\n", in_seconds(header->start_wall), in_seconds(header->start_monotonic),
      in_seconds(calendar->start_boottime),
         in_seconds(calendar->start_suspended));
  printf("seen %g %g\n", in_seconds(calendar->seen_time), in_seconds(calendar->suspended));
  for (uint32_t i = 0; i < calendar->jump_count; i++)
    printf("jump %g %g\n", in_seconds(calendar->jumps[i].time), in_seconds(calendar->jumps[i].wall));
  static struct mh_header child;
  mh_process.monotonic_offset = -1000000000;
  mh_calendar_go_on(&child, calendar, header->start_wall, header->start_monotonic);
  printf("child %g %g %lu\n", in_seconds(child.start_wall), in_seconds(child.start_monotonic),
      (unsigned long)child.calendar.jump_count);
  return 0;
}
