/* The speed that memview is measured against: groups the live allocations of a store by call stack (count, bytes,
 * oldest and newest of each) and prints the 50 stacks with the most allocations, as memview -a --top 50 does, with
 * nothing but what that takes. It trusts the file.
 *
 *   native STORE
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "layout.h"

enum { TOP = 50, PER_BLOCK = MH_BLOCK_BYTES / MH_RECORD_BYTES };

struct record {
  uint64_t address, size, time;
  uint32_t thread, stack;
};
struct sum {
  uint64_t bytes, oldest, newest;
  uint32_t count, stack;
};

static int ascending(const void *a, const void *b) {
  const struct sum *x = a, *y = b;
  if (x->count != y->count) return x->count < y->count ? -1 : 1;
  if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1;
  return x->stack < y->stack ? -1 : x->stack > y->stack;
}

static uint32_t array_count(const uint8_t *header, uint32_t kind) {
  return *(const uint32_t *)(header + MH_HEADER_ARRAYS + kind * MH_ARRAY_BYTES + MH_ARRAY_COUNT);
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "usage: native STORE\n"), 2;
  int file = open(argv[1], O_RDONLY);
  if (file < 0) return perror(argv[1]), 2;
  static uint8_t header[MH_BLOCK_TABLE_OFFSET + MH_BLOCK_TABLE_BYTES];
  static struct record piece[PER_BLOCK];
  static uint32_t blocks[MH_BLOCK_MAX_COUNT];
  if (pread(file, header, sizeof(header), 0) != sizeof(header)) return 2;
  const uint32_t *table = (const uint32_t *)(header + MH_BLOCK_TABLE_OFFSET);
  uint32_t block_count = *(const uint32_t *)(header + MH_HEADER_BLOCK_COUNT);
  for (uint32_t i = 1; i < block_count; i++)
    if (table[i] >> MH_BLOCK_ENTRY_KIND_SHIFT == MH_KIND_RECORDS) blocks[table[i] & MH_BLOCK_ENTRY_ORDINAL_MASK] = i;

  uint32_t stacks = array_count(header, MH_KIND_STACKS), records = array_count(header, MH_KIND_RECORDS);
  struct sum *sums = calloc(stacks, sizeof(*sums));
  for (uint32_t first = 0; first < records; first += PER_BLOCK) {
    uint32_t count = records - first < PER_BLOCK ? records - first : PER_BLOCK;
    uint64_t position = (uint64_t)blocks[first / PER_BLOCK] * MH_BLOCK_BYTES;
    if (pread(file, piece, count * sizeof(*piece), position) != (ssize_t)(count * sizeof(*piece))) return 2;
    for (uint32_t i = 0; i < count; i++) {
      const struct record *record = &piece[i];
      if (!record->address) continue;
      struct sum *sum = &sums[record->stack];
      if (!sum->count || record->time < sum->oldest) sum->oldest = record->time;
      if (record->time > sum->newest) sum->newest = record->time;
      sum->bytes += record->size & (((uint64_t)1 << MH_RECORD_KIND_SHIFT) - 1);
      sum->count++;
    }
  }
  uint32_t rows = 0;
  for (uint32_t i = 0; i < stacks; i++)
    if (sums[i].count) {
      sums[rows] = sums[i];
      sums[rows++].stack = i;
    }
  qsort(sums, rows, sizeof(*sums), ascending);
  for (uint32_t i = rows > TOP ? rows - TOP : 0; i < rows; i++)
    printf("size=%lu, times=%u\n", sums[i].bytes, sums[i].count);
  return 0;
}
