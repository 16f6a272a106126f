/* The speed that memview verdict is measured against: from each stack of the live allocations to the innermost frame
 * outside of the library, and for each such frame how much is live, how many blocks, of which sizes, and when they
 * were born, in 16 parts of the life. Prints the ten places that hold most, with nothing but what that takes. It
 * trusts the file.
 *
 *   places STORE LIBRARY      the number of the module whose frames are passed over
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layout.h"

enum { TOP = 10, PARTS = 16, PER_BLOCK = MH_BLOCK_BYTES / MH_RECORD_BYTES };

struct record {
  uint64_t address, size, time;
  uint32_t thread, stack;
};
struct sum {
  uint64_t bytes, oldest, newest, smallest, largest, part_bytes[PARTS];
  uint32_t count, frame, parts[PARTS];
};

static const uint8_t *file;
static uint32_t *blocks[MH_KIND_COUNT];

static uint32_t array_count(uint32_t kind) {
  return *(const uint32_t *)(file + MH_HEADER_ARRAYS + kind * MH_ARRAY_BYTES + MH_ARRAY_COUNT);
}

static const void *element(uint32_t kind, uint32_t index, uint32_t bytes) {
  uint32_t per_block = MH_BLOCK_BYTES / bytes;
  return file + (uint64_t)blocks[kind][index / per_block] * MH_BLOCK_BYTES + index % per_block * bytes;
}

static int descending(const void *a, const void *b) {
  const struct sum *x = a, *y = b;
  return x->bytes < y->bytes ? 1 : x->bytes > y->bytes ? -1 : 0;
}

/** The innermost frame of a stack outside of the library. */
static uint32_t place(uint32_t stack, uint32_t library) {
  uint32_t node = *(const uint32_t *)((const uint8_t *)element(MH_KIND_STACKS, stack, MH_STACK_BYTES) + MH_STACK_NODE);
  while (node) {
    const uint8_t *at = element(MH_KIND_NODES, node, MH_NODE_BYTES);
    uint32_t frame = *(const uint32_t *)(at + MH_NODE_FRAME);
    const uint8_t *its = element(MH_KIND_FRAMES, frame, MH_FRAME_BYTES);
    if (*(const uint32_t *)(its + MH_FRAME_MODULE) != library) return frame;
    node = *(const uint32_t *)(at + MH_NODE_PARENT);
  }
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "usage: places STORE LIBRARY\n"), 2;
  int fd = open(argv[1], O_RDONLY);
  if (fd < 0) return perror(argv[1]), 2;
  file = mmap(NULL, lseek(fd, 0, SEEK_END), PROT_READ, MAP_SHARED, fd, 0);
  if (file == MAP_FAILED) return perror(argv[1]), 2;
  const uint32_t *table = (const uint32_t *)(file + MH_BLOCK_TABLE_OFFSET);
  uint32_t block_count = *(const uint32_t *)(file + MH_HEADER_BLOCK_COUNT);
  for (uint32_t kind = 0; kind < MH_KIND_COUNT; kind++) blocks[kind] = calloc(MH_BLOCK_MAX_COUNT, sizeof(uint32_t));
  for (uint32_t i = 1; i < block_count; i++)
    blocks[table[i] >> MH_BLOCK_ENTRY_KIND_SHIFT][table[i] & MH_BLOCK_ENTRY_ORDINAL_MASK] = i;

  static struct record piece[PER_BLOCK];
  uint32_t stacks = array_count(MH_KIND_STACKS), records = array_count(MH_KIND_RECORDS);
  uint32_t frames = array_count(MH_KIND_FRAMES);
  double per_part = PARTS / (double)*(const uint64_t *)(file + MH_HEADER_END_TIME);
  struct sum *sums = calloc(stacks, sizeof(*sums)), *places = calloc(frames, sizeof(*places));
  for (uint32_t first = 0; first < records; first += PER_BLOCK) {
    uint32_t count = records - first < PER_BLOCK ? records - first : PER_BLOCK;
    uint64_t position = (uint64_t)blocks[MH_KIND_RECORDS][first / PER_BLOCK] * MH_BLOCK_BYTES;
    if (pread(fd, piece, count * sizeof(*piece), position) != (ssize_t)(count * sizeof(*piece))) return 2;
    for (uint32_t i = 0; i < count; i++) {
      const struct record *record = &piece[i];
      if (!record->address) continue;
      struct sum *sum = &sums[record->stack];
      uint64_t bytes = record->size & (((uint64_t)1 << MH_RECORD_KIND_SHIFT) - 1);
      uint32_t part = record->time * per_part;
      if (part >= PARTS) part = PARTS - 1;
      if (!sum->count || record->time < sum->oldest) sum->oldest = record->time;
      if (!sum->count || bytes < sum->smallest) sum->smallest = bytes;
      if (record->time > sum->newest) sum->newest = record->time;
      if (bytes > sum->largest) sum->largest = bytes;
      sum->bytes += bytes;
      sum->count++;
      sum->parts[part]++;
      sum->part_bytes[part] += bytes;
    }
  }
  for (uint32_t i = 0; i < stacks; i++) {
    if (!sums[i].count) continue;
    uint32_t frame = place(i, atoi(argv[2]));
    struct sum *to = &places[frame];
    to->frame = frame;
    to->bytes += sums[i].bytes;
    to->count += sums[i].count;
    for (uint32_t part = 0; part < PARTS; part++) {
      to->parts[part] += sums[i].parts[part];
      to->part_bytes[part] += sums[i].part_bytes[part];
    }
  }
  qsort(places, frames, sizeof(*places), descending);
  for (uint32_t i = 0; i < TOP; i++) printf("%lu %u\n", places[i].bytes, places[i].count);
  return 0;
}
