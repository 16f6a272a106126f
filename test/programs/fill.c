/* Allocates COUNT blocks of 32 bytes that stay, whatever that does to the store, and checks that all of them are
 * intact at the end. Prints `allocated COUNT BYTES`; ends with status 7.
 */
#include "program.h"

struct link {
  struct link *next;
  uint64_t number, check;
  char rest[8];
};

static struct link *volatile first;

NOINLINE static struct link *allocate(void) {
  struct link *volatile block = malloc(sizeof(struct link));
  CHECK(block != NULL);
  return block;
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  uint64_t count = (uint64_t)atol(argv[1]), number = count;
  for (uint64_t i = 0; i < count; i++) {
    struct link *link = allocate();
    *link = (struct link){.next = first, .number = i, .check = ~i};
    first = link;
    /* Freed ones in between: a full store has to live with those too. */
    void *volatile passing = malloc(100);
    free(passing);
  }
  for (struct link *link = first; link != NULL; link = link->next) {
    CHECK(link->number == --number && link->check == ~number);
  }
  CHECK(number == 0);
  say("allocated %llu %llu\n", (unsigned long long)count, (unsigned long long)(count * sizeof(struct link)));
  return 7;
}
