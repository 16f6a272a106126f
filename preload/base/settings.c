/* The settings; see settings.h. The strings are copied: the program may change its environment. */
#include "settings.h"

#include "layout.h"
#include "log.h"
#include "sys.h"
#include "text.h"

#define DEPTH_DEFAULT 256
#define DEPTH_MAX 4096
#define SIZE_MIN (64 << 10)

struct mh_settings mh_settings;

extern char **environ;

static char strings[10 * 4096];
static size_t strings_used;

static const char *keep(const char *value) {
  size_t bytes = mh_length(value) + 1;
  if (strings_used + bytes > sizeof(strings)) return NULL;
  char *copy = strings + strings_used;
  for (size_t i = 0; i < bytes; i++) copy[i] = value[i];
  strings_used += bytes;
  return copy;
}

/* Keeps `first`, `second` and `value` as one string. */
static const char *keep_behind(const char *first, const char *second, const char *value) {
  struct mh_text text = {.data = strings + strings_used, .capacity = sizeof(strings) - strings_used};
  if (!text.capacity) return NULL;
  mh_text_add(&text, first);
  mh_text_add(&text, second);
  mh_text_add(&text, value);
  if (text.cut) return NULL;
  strings_used += text.length + 1;
  return text.data;
}

/* The process's working directory at its start, with "/" at its end; "" where it is not known. Relative paths begin
 * there, although the program may change its directory, and its children begin in that one. */
static const char *folder(void) {
  static char path[4096];
  long length = mh_syscall(SYS_getcwd, (long)path, sizeof(path) - 1, 0, 0, 0, 0);
  if (length <= 1 || path[0] != '/') return "";
  if (path[length - 2] != '/') {
    path[length - 1] = '/';
    path[length] = 0;
  }
  return path;
}

static const char *keep_path(const char *value) {
  return value[0] == '/' ? keep(value) : keep_behind("", folder(), value);
}

/* The environment as the kernel keeps it, "NAME=value\0…\0\0": for the time before libc has set its own. */
static char *early_environment;
#define EARLY_BYTES (256 << 10)

static const char *value_in(const char *entry, const char *name) {
  size_t length = mh_length(name);
  return mh_starts(entry, name) && entry[length] == '=' ? entry + length + 1 : NULL;
}

/* The variable's value; NULL when it is unset or empty. */
static const char *variable(const char *name) {
  const char *value = NULL;
  for (const char *entry = early_environment; !value && entry && *entry; entry += mh_length(entry) + 1)
    value = value_in(entry, name);
  for (char **entry = environ; !value && entry && *entry; entry++) value = value_in(*entry, name);
  return value && *value ? value : NULL;
}

static void complain(const char *name, const char *value, const char *form) {
  MH_TEXT(line, 512);
  mh_text_add(&line, name);
  mh_text_add(&line, "='");
  size_t length = mh_length(value);
  mh_text_add_bytes(&line, value, length < 80 ? length : 80);
  mh_text_add(&line, "' is not ");
  mh_text_add(&line, form);
  mh_text_add(&line, "; using the default");
  mh_complain(line.data);
}

/* The whole value as a number from `low` to `high`, in units of `unit`. */
static bool number(const char *name, uint64_t unit, uint64_t low, uint64_t high, const char *form, uint64_t *result) {
  const char *value = variable(name);
  if (!value) return false;
  const char *cursor = value;
  uint64_t parsed;
  if (mh_parse_number(&cursor, &parsed) && *cursor == 0 && !__builtin_mul_overflow(parsed, unit, &parsed) &&
      parsed >= low && parsed <= high) {
    *result = parsed;
    return true;
  }
  complain(name, value, form);
  return false;
}

static void read_size(void) {
  static const struct {
    const char *name;
    uint64_t unit;
    const char *form;
  } forms[] = {
      {"MEMHOOK_SIZE_GB", 1u << 30, "a whole number of GiB from 1 to 64"},
      {"MEMHOOK_SIZE_MB", 1u << 20, "a whole number of MiB from 1 to 65536"},
      {"MEMHOOK_SIZE_KB", 1u << 10, "a whole number of KiB from 64 to 67108864"},
      {"MEMHOOK_SIZE", 1, "a whole number of bytes from 65536 to 68719476736"},
  };
  mh_settings.size = sizeof(void *) == 8 ? 8ull << 30 : 1ull << 30;
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
    if (number(forms[i].name, forms[i].unit, SIZE_MIN, (uint64_t)MH_BLOCK_MAX_COUNT * MH_BLOCK_BYTES, forms[i].form,
               &mh_settings.size))
      return;
}

/* "512KiB", "1MiB", "4096" */
static bool parse_bytes(const char *value, uint64_t *bytes) {
  static const struct {
    const char *name;
    unsigned shift;
  } units[] = {{"", 0}, {"B", 0}, {"K", 10}, {"KB", 10}, {"KiB", 10}, {"M", 20}, {"MB", 20}, {"MiB", 20}};
  if (!mh_parse_number(&value, bytes) || *bytes > 1u << 30) return false;
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
    if (!mh_equal(value, units[i].name)) continue;
    *bytes <<= units[i].shift;
    return *bytes <= 1u << 30;
  }
  return false;
}

static void read_sample(void) {
  const char *value = variable("MEMHOOK_SAMPLE");
  mh_settings.sample = 0;
  if (!value || parse_bytes(value, &mh_settings.sample)) return;
  mh_settings.sample = 0;
  complain("MEMHOOK_SAMPLE", value, "a size like 512KiB, at most 1024MiB (0: record everything)");
}

/* "10s", "30min", "5h", in nanoseconds */
static bool parse_duration(const char *value, uint64_t *nanoseconds) {
  static const struct {
    const char *name;
    uint64_t unit;
  } units[] = {{"ms", 1000000},         {"s", 1000000000},      {"sec", 1000000000}, {"m", 60 * 1000000000ull},
               {"min", 60 * 1000000000ull}, {"h", 3600 * 1000000000ull}};
  const uint64_t week = 7 * 24 * 3600 * 1000000000ull;
  if (!mh_parse_number(&value, nanoseconds)) return false;
  for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
    if (mh_equal(value, units[i].name))
      return !__builtin_mul_overflow(*nanoseconds, units[i].unit, nanoseconds) && *nanoseconds && *nanoseconds <= week;
  return false;
}

/* A socket's path stays as it is where the absolute one is too long for the kernel. */
static const char *keep_host(const char *host) {
  enum { SCHEME = sizeof("unix:") - 1, SOCKET_MAX = 107 };
  if (!mh_starts(host, "unix:") || host[SCHEME] == '/') return keep(host);
  const char *before = folder();
  if (mh_length(before) + mh_length(host + SCHEME) > SOCKET_MAX) return keep(host);
  return keep_behind("unix:", before, host + SCHEME);
}

static void read_net(void) {
  const char *host = variable("MEMHOOK_NET_HOST");
  mh_settings.net_host = host ? keep_host(host) : NULL;
  if (host && !mh_settings.net_host) mh_complain("MEMHOOK_NET_HOST is too long; the store is local");

  uint64_t port = 20015;
  number("MEMHOOK_NET_PORT", 1, 1, 65535, "a port from 1 to 65535", &port);
  mh_settings.net_port = (uint16_t)port;

  const char *file = variable("MEMHOOK_NET_TOKEN_FILE");
  mh_settings.net_token_file = file ? keep_path(file) : NULL;

  mh_settings.net_interval = 2 * 1000000000ull;
  const char *interval = variable("MEMHOOK_CACHE_FLUSH_INTERVAL");
  uint64_t nanoseconds;
  if (interval && parse_duration(interval, &nanoseconds))
    mh_settings.net_interval = nanoseconds;
  else if (interval)
    complain("MEMHOOK_CACHE_FLUSH_INTERVAL", interval, "a time like 10s, 30min or 5h, at most a week");

  mh_settings.net_items = 0;
  number("MEMHOOK_CACHE_FLUSH_MAX_ITEMS", 1, 1, UINT32_MAX, "a number of records", &mh_settings.net_items);
}

/* The index of the variable's value in `words` (ends with NULL); 0 by default. */
static unsigned choice(const char *name, const char *const *words, const char *form) {
  const char *value = variable(name);
  if (!value) return 0;
  for (unsigned i = 0; words[i]; i++)
    if (mh_equal(value, words[i])) return i;
  complain(name, value, form);
  return 0;
}

static void read_log(void) {
  const char *value = variable("MEMHOOK_LOG");
  if (!value) return;
  if (mh_equal(value, "stderr")) {
    mh_log_open(MH_LOG_STDERR, NULL);
  } else {
    const char *path = keep_path(value);
    if (path) mh_log_open(MH_LOG_FILE, path);
  }
}

/* A relative path is also kept as an environment entry, for the programs that this one executes or starts
 * (hooks_exec.c). */
static void read_file(void) {
  const char *value = variable("MEMHOOK_FILE");
  if (!value) return;
  const char *before = value[0] == '/' ? "" : folder();
  const char *entry = keep_behind(MH_FILE_ENTRY, before, value);
  if (!entry) {
    mh_complain("MEMHOOK_FILE is too long; using shared memory");
    return;
  }
  mh_settings.file = entry + sizeof(MH_FILE_ENTRY) - 1;
  mh_settings.file_folder = mh_length(before);
  /* In such an entry a % of the directory would be taken for a pattern. */
  bool literal = true;
  for (const char *at = before; *at; at++) literal = literal && *at != '%';
  if (*before && literal) mh_settings.file_entry = entry;
}

void mh_settings_read(void) {
  if (!environ && (early_environment = mh_map_private(EARLY_BYTES)))
    mh_read_file("/proc/self/environ", early_environment, EARLY_BYTES - 1);
  read_log();

  read_file();

  mh_settings.shm_name = "ShmMemHook";
  const char *name = variable("MEMHOOK_SHM_NAME");
  if (name) {
    bool is_file_name = name[0] != '.' && mh_length(name) <= 200;
    for (const char *at = name; *at; at++) is_file_name = is_file_name && *at != '/';
    if (is_file_name)
      mh_settings.shm_name = keep(name);
    else
      complain("MEMHOOK_SHM_NAME", name, "a file name without '/' of at most 200 bytes");
  }

  read_size();

  read_sample();

  read_net();

  uint64_t depth = DEPTH_DEFAULT;
  number("MEMHOOK_DEPTH", 1, 1, DEPTH_MAX, "a whole number of frames from 1 to 4096", &depth);
  mh_settings.depth = (uint32_t)depth;

  static const char *const unwinds[] = {"dwarf", "fp", "libunwind", NULL};
  mh_settings.unwind = (enum mh_unwind)choice("MEMHOOK_UNWIND", unwinds, "dwarf, fp or libunwind");

  static const char *const children[] = {"follow", "fresh", "off", NULL};
  mh_settings.children = (enum mh_children)choice("MEMHOOK_CHILDREN", children, "follow, fresh or off");

  if (early_environment) mh_munmap(early_environment, EARLY_BYTES);
  early_environment = NULL;
}
