// C for the symbolizer: functions that compilers inline, split into hot and cold parts, clone and merge.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint64_t crossing(uint64_t x);  // in crossing.c

struct list {
  struct list *next;
  uint64_t value;
};

static inline uint64_t mix(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdull;
  return x ^ x >> 29;
}

static inline uint64_t fold(const char *text) {
  uint64_t hash = 5381;
  while (*text) hash = mix(hash * 33 + (unsigned char)*text++);
  return hash;
}

// Called with one constant: a candidate for a clone (constprop).
static __attribute__((noinline)) struct list *push(struct list *head, uint64_t value, int check) {
  struct list *item = malloc(sizeof *item);
  if (!item) {
    if (check) fprintf(stderr, "no memory for %llu\n", (unsigned long long)value);
    abort();
  }
  item->next = head;
  item->value = mix(value);
  return item;
}

static int compare(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static uint64_t visit(struct list *head, uint64_t (*each)(uint64_t)) {
  uint64_t sum = 0;
  for (; head; head = head->next) sum += each(head->value);
  return sum;
}

static uint64_t twice(uint64_t x) { return mix(x) + mix(x + 1); }

// One early return and a long rest: a candidate for a part (part).
static uint64_t maybe(struct list *head, const char *name) {
  if (!head) return 0;
  uint64_t sum = fold(name);
  for (int i = 0; i < 8; i++) {
    sum = mix(sum) + visit(head, twice);
    if (sum % 1021 == 7) printf("%s %d\n", name, i);
  }
  return sum;
}

int dispatch(int kind, const char *name, struct list *head) {
  switch (kind & 7) {
    case 0: return (int)fold(name);
    case 1: return (int)visit(head, mix);
    case 2: return (int)visit(head, twice);
    case 3: return puts(name);
    case 4: return (int)maybe(head, name);
    case 5: return (int)maybe(head ? head->next : 0, name + 1);
    default: return (int)(strlen(name) + crossing(mix(kind)));
  }
}

#if defined(__GNUC__) && !defined(__clang__)
// A nested function of GNU C: its entry is inside its parent's.
__attribute__((noinline)) uint64_t nested(struct list *head, uint64_t bias) {
  uint64_t total = 0;
  __attribute__((noinline)) void add(uint64_t value) {
    total += mix(value + bias);
    if (total == 99) abort();
  }
  for (; head; head = head->next) add(head->value);
  return total;
}
#else
uint64_t nested(struct list *head, uint64_t bias) { return visit(head, twice) + bias; }
#endif

int main(int argc, char **argv) {
  struct list *head = 0;
  uint64_t values[64];
  for (int i = 0; i < 64; i++) {
    values[i] = mix(i);
    head = push(head, values[i], 1);
  }
  qsort(values, 64, sizeof *values, compare);
  int result = 0;
  for (int i = 0; i < argc + 8; i++) result += dispatch(i, argv[0], head);
  return (int)((result + nested(head, 3) + values[7]) & 1);
}
