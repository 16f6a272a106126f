/* Blocks that realloc moves up and down, between the heap and mappings of their own, with what was in them. After
 * massif's tests of realloc. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  unsigned wrong = 0;
  for (size_t top = 16; top <= (size_t)1 << 22; top *= 4) {
    unsigned char *block = NULL;
    for (size_t size = 8; size <= top; size *= 2) {
      block = realloc(block, size);
      if (size > 8)
        for (size_t at = 0; at < size / 2; at += 61) wrong += block[at] != (unsigned char)(at + size / 2);
      for (size_t at = 0; at < size; at++) block[at] = (unsigned char)(at + size);
    }
    for (size_t size = top; size > top / 64 && size >= 16; size /= 2) block = realloc(block, size);
    if (top % 3 == 1) free(block);
  }
  char **lines = NULL;
  for (int line = 0; line < 300; line++) {
    lines = realloc(lines, sizeof(*lines) * (size_t)(line + 1));
    lines[line] = strdup("a line of a text");
    if (line % 5 == 4) free(lines[line - 2]), lines[line - 2] = NULL;
  }
  printf("%u bytes changed\n", wrong);
  return 0;
}
