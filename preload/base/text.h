/* Text without libc: building lines and paths in fixed buffers, reading small files. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mh_text {
  char *data;
  size_t length, capacity; /* what does not fit is left out; data is always NUL-terminated */
  bool cut;
};

#define MH_TEXT(name, bytes)  \
  char name##_data[bytes];    \
  name##_data[0] = 0;         \
  struct mh_text name = {.data = name##_data, .capacity = sizeof(name##_data)}

void mh_text_add(struct mh_text *text, const char *string);
void mh_text_add_bytes(struct mh_text *text, const char *bytes, size_t length);
void mh_text_add_number(struct mh_text *text, uint64_t number);

/* Adds the lowest `digits` hexadecimal digits, in capitals or not as in `alphabet`. */
void mh_text_add_hex(struct mh_text *text, uint32_t number, unsigned digits, const char alphabet[16]);

/* Adds text from elsewhere so that it can be shown: characters that a terminal obeys, and bytes that are no UTF-8,
 * become \x1b or \u202e, as in runtime/host/printable.ts. */
void mh_text_add_printable(struct mh_text *text, const char *string);

size_t mh_length(const char *string);
bool mh_equal(const char *a, const char *b);
bool mh_starts(const char *string, const char *prefix);

/* Parses a decimal number at *cursor and moves it behind. False without a digit or on overflow. */
bool mh_parse_number(const char **cursor, uint64_t *number);
bool mh_parse_hex(const char **cursor, uint64_t *number);

/* Reads a whole small file into a NUL-terminated buffer. Returns its length, or -errno. */
long mh_read_file(const char *path, char *buffer, size_t bytes);

/* The number at `index` behind a word of /proc/PID/status. The word includes the newline in front of it. */
bool mh_status_number(const char *status, const char *word, unsigned index, uint64_t *number);
