/* Another process's memory, read where it has pages, so that reading makes none. */
#include "look.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define PRESENT (UINT64_C(1) << 63)
#define SWAPPED (UINT64_C(1) << 62)
#define OF_A_FILE (UINT64_C(1) << 61) /* or shared: not this process's own */
#define PAGES_AT_ONCE 512
#define KEEP_MAX (UINT64_C(1) << 30)

bool memory_open(struct memory *memory, pid_t pid, bool writing) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  memory->contents = open(path, (writing ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  snprintf(path, sizeof path, "/proc/%d/pagemap", pid);
  memory->pages = open(path, O_RDONLY | O_CLOEXEC);
  return memory->contents >= 0 && memory->pages >= 0;
}

void memory_close(struct memory *memory) {
  if (memory->contents >= 0) close(memory->contents);
  if (memory->pages >= 0) close(memory->pages);
  *memory = (struct memory){-1, -1};
}

bool memory_get(const struct memory *memory, uint64_t address, void *to, size_t bytes) {
  return pread(memory->contents, to, bytes, (off_t)address) == (ssize_t)bytes;
}

bool memory_put(const struct memory *memory, uint64_t address, const void *from, size_t bytes) {
  return pwrite(memory->contents, from, bytes, (off_t)address) == (ssize_t)bytes;
}

/* Reads the page map's entries of up to PAGES_AT_ONCE pages from `address` on. Returns their number. */
static size_t entries(const struct memory *memory, uint64_t address, uint64_t end, uint64_t to[PAGES_AT_ONCE]) {
  uint64_t wanted = (end - address + PAGE - 1) / PAGE;
  if (wanted > PAGES_AT_ONCE) wanted = PAGES_AT_ONCE;
  ssize_t got = pread(memory->pages, to, wanted * 8, (off_t)(address / PAGE * 8));
  return got > 0 ? (size_t)got / 8 : 0;
}

bool memory_is_zero(const struct memory *memory, uint64_t address, size_t bytes) {
  uint64_t page[PAGES_AT_ONCE], words[PAGE / 8];
  size_t count = entries(memory, address, address + bytes, page);
  if (count * PAGE < bytes) return false;
  for (size_t i = 0; i < count; i++) {
    if (!(page[i] & (PRESENT | SWAPPED))) continue;
    if (!memory_get(memory, address + i * PAGE, words, sizeof words)) return false;
    for (size_t word = 0; word < PAGE / 8; word++)
      if (words[word]) return false;
  }
  return true;
}

/* Calls `use` for every run of pages that have contents. */
static bool each_run(const struct memory *memory, uint64_t address, uint64_t end, bool only_private,
                     bool (*use)(const struct memory *, uint64_t, size_t)) {
  uint64_t page[PAGES_AT_ONCE];
  for (uint64_t at = address & ~(uint64_t)(PAGE - 1); at < end;) {
    size_t count = entries(memory, at, end, page);
    if (count == 0) return true;
    for (size_t i = 0; i < count;) {
      size_t first = i;
      while (i < count && page[i] & (PRESENT | SWAPPED) && !(only_private && page[i] & OF_A_FILE)) i++;
      if (i > first && !use(memory, at + first * PAGE, (i - first) * PAGE)) return false;
      if (i == first) i++;
    }
    at += count * PAGE;
  }
  return true;
}

/* What was kept, in the order of addresses. */
static struct kept {
  uint64_t start, end;
  uint8_t *bytes;
} *kept;
static size_t kept_count, kept_room;
static uint64_t kept_bytes;

static bool keep_run(const struct memory *memory, uint64_t start, size_t bytes) {
  if (kept_count == kept_room) {
    struct kept *larger = realloc(kept, (kept_room = kept_room ? kept_room * 2 : 256) * sizeof *larger);
    if (!larger) return false;
    kept = larger;
  }
  if ((kept_bytes += bytes) > KEEP_MAX) return false;
  uint8_t *copy = malloc(bytes);
  if (!copy) return false;
  /* A page that cannot be read has nothing that could be sent. */
  if (!memory_get(memory, start, copy, bytes)) free(copy);
  else kept[kept_count++] = (struct kept){start, start + bytes, copy};
  return true;
}

bool memory_keep(const struct memory *memory, const struct mapping *mapping) {
  return each_run(memory, mapping->start, mapping->end, false, keep_run);
}

static void tell(uint64_t address, const uint8_t *bytes, size_t count) {
  while (count > 0) {
    size_t piece = count <= MH_LOOK_PAYLOAD_MAX - PAGE ? count : MH_LOOK_PAYLOAD_MAX - PAGE;
    say(MH_LOOK_DATA, (struct part[]){{&address, 8}, {bytes, piece}}, 2);
    address += piece;
    bytes += piece;
    count -= piece;
  }
}

static uint64_t told_from, told_to;

static bool tell_run(const struct memory *memory, uint64_t start, size_t bytes) {
  static uint8_t piece[PAGES_AT_ONCE * PAGE];
  uint64_t end = start + bytes;
  if (start < told_from) start = told_from;
  if (end > told_to) end = told_to;
  if (memory_get(memory, start, piece, end - start)) {
    tell(start, piece, end - start);
    return true;
  }
  /* One of the pages is gone, or cannot be read. The others are read one by one. */
  for (uint64_t at = start; at < end; at += PAGE - at % PAGE) {
    size_t count = PAGE - at % PAGE;
    if (count > end - at) count = end - at;
    if (memory_get(memory, at, piece, count)) tell(at, piece, count);
  }
  return true;
}

void memory_tell(const struct memory *memory, uint64_t address, uint64_t length, uint64_t flags) {
  told_from = address;
  told_to = length > UINT64_MAX - address ? UINT64_MAX : address + length;
  for (size_t i = 0; i < kept_count; i++) {
    uint64_t start = kept[i].start > told_from ? kept[i].start : told_from;
    uint64_t end = kept[i].end < told_to ? kept[i].end : told_to;
    if (start < end) tell(start, kept[i].bytes + (start - kept[i].start), end - start);
  }
  if (flags & MH_READ_WHOLE) {
    for (uint64_t at = told_from & ~(uint64_t)(PAGE - 1); at < told_to; at += PAGES_AT_ONCE * PAGE)
      tell_run(memory, at, told_to - at < PAGES_AT_ONCE * PAGE ? told_to - at : PAGES_AT_ONCE * PAGE);
  } else {
    each_run(memory, told_from, told_to, (flags & MH_READ_PRIVATE) != 0, tell_run);
  }
  say(MH_LOOK_END, NULL, 0);
}
