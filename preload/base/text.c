/* Text without libc; see text.h. */
#include "text.h"

#include <errno.h>

#include "sys.h"

void mh_text_add_bytes(struct mh_text *text, const char *bytes, size_t length) {
  for (size_t i = 0; i < length; i++) {
    if (text->length + 1 >= text->capacity) {
      text->cut = true;
      break;
    }
    text->data[text->length++] = bytes[i];
  }
  text->data[text->length] = 0;
}

void mh_text_add(struct mh_text *text, const char *string) {
  mh_text_add_bytes(text, string, mh_length(string));
}

/* The length of the UTF-8 sequence at `at`, and its character; 0 if there is none. */
static unsigned sequence(const uint8_t *at, uint32_t *character) {
  if (*at < 0x80) return *character = *at, 1;
  unsigned length = *at >= 0xf0 ? 4 : *at >= 0xe0 ? 3 : 2;
  static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (*at < 0xc2 || *at > 0xf4) return 0;
  uint32_t value = *at & (0x7fu >> length);
  for (unsigned i = 1; i < length; i++) {
    if ((at[i] & 0xc0) != 0x80) return 0;
    value = value << 6 | (at[i] & 0x3f);
  }
  if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000)) return 0;
  *character = value;
  return length;
}

static bool is_obeyed(uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void mh_text_add_printable(struct mh_text *text, const char *string) {
  const uint8_t *at = (const uint8_t *)string;
  while (*at) {
    uint32_t character = *at;
    unsigned length = sequence(at, &character);
    if (length && !is_obeyed(character)) {
      mh_text_add_bytes(text, (const char *)at, length);
    } else {
      mh_text_add(text, character > 0xff ? "\\u" : "\\x");
      mh_text_add_hex(text, character, character > 0xff ? 4 : 2, "0123456789abcdef");
    }
    at += length ? length : 1;
  }
}

void mh_text_add_hex(struct mh_text *text, uint32_t number, unsigned digits, const char alphabet[16]) {
  while (digits-- > 0) mh_text_add_bytes(text, &alphabet[number >> 4 * digits & 15], 1);
}

void mh_text_add_number(struct mh_text *text, uint64_t number) {
  char digits[20];
  size_t first = sizeof(digits);
  do {
    digits[--first] = (char)('0' + number % 10);
    number /= 10;
  } while (number);
  mh_text_add_bytes(text, digits + first, sizeof(digits) - first);
}

size_t mh_length(const char *string) {
  size_t length = 0;
  while (string[length]) length++;
  return length;
}

bool mh_equal(const char *a, const char *b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

bool mh_starts(const char *string, const char *prefix) {
  while (*prefix && *string == *prefix) string++, prefix++;
  return *prefix == 0;
}

bool mh_parse_number(const char **cursor, uint64_t *number) {
  const char *at = *cursor;
  uint64_t value = 0;
  if (*at < '0' || *at > '9') return false;
  for (; *at >= '0' && *at <= '9'; at++) {
    if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
      return false;
  }
  *cursor = at;
  *number = value;
  return true;
}

bool mh_parse_hex(const char **cursor, uint64_t *number) {
  const char *at = *cursor;
  uint64_t value = 0;
  for (;; at++) {
    unsigned digit;
    if (*at >= '0' && *at <= '9')
      digit = (unsigned)(*at - '0');
    else if (*at >= 'a' && *at <= 'f')
      digit = (unsigned)(*at - 'a' + 10);
    else
      break;
    if (value >> 60) return false;
    value = value << 4 | digit;
  }
  if (at == *cursor) return false;
  *cursor = at;
  *number = value;
  return true;
}

long mh_read_file(const char *path, char *buffer, size_t bytes) {
  int fd = mh_open(path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return fd;
  size_t length = 0;
  while (length + 1 < bytes) {
    long got = mh_read(fd, buffer + length, bytes - 1 - length);
    if (got == -EINTR) continue;
    if (got <= 0) break;
    length += (size_t)got;
  }
  buffer[length] = 0;
  mh_close(fd);
  return (long)length;
}

bool mh_status_number(const char *status, const char *word, unsigned index, uint64_t *number) {
  for (; *status; status++) {
    if (!mh_starts(status, word)) continue;
    status += mh_length(word);
    for (unsigned i = 0; i <= index; i++) {
      while (*status == '\t' || *status == ' ') status++;
      if (!mh_parse_number(&status, number)) return false;
    }
    return true;
  }
  return false;
}
