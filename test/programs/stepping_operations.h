/* The operations of stepping.c: calls of memhook's hooks, each in a function.
 * What one prepares in before() is not stepped through. */
#pragma once
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "../../preload/memhook.h"
#include "program.h"
#include "stepping.h"

enum { MAPPING = 8192, WAYS = 12, GROWING = 300 };

static const char *plugin_path;
static unsigned way; /* of the next call stack that was never there */
static void *block, *map, *plugin;
static void *(*operator_new)(size_t);
static void (*operator_delete)(void *);

static void nothing(void) {}
static void make_block(void) {
  block = malloc(64);
}
static void make_large_block(void) {
  block = malloc(200000);
}
static void make_map(void) {
  map = mmap(NULL, 3 * MAPPING, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
/* So many that some of them are counted. */
static void *several[20];
static void make_several(void) {
  for (int i = 0; i < 20; i++) several[i] = malloc(64);
}
static void do_free_several(void) {
  for (int i = 0; i < 20; i++) {
    void *volatile old = several[i];
    several[i] = NULL;
    free(old);
  }
}
static void do_malloc(void) {
  block = malloc(64);
}
NOINLINE static void malloc_far_away(unsigned left, unsigned ways);
NOINLINE static void one_way(unsigned left, unsigned ways) {
  malloc_far_away(left, ways);
}
NOINLINE static void other_way(unsigned left, unsigned ways) {
  malloc_far_away(left, ways);
}
NOINLINE static void malloc_far_away(unsigned left, unsigned ways) {
  if (left == 0)
    block = malloc(64);
  else
    (ways & 1 ? one_way : other_way)(left - 1, ways >> 1);
}
static void do_malloc_new(void) {
  malloc_far_away(WAYS, way++);
}
static void do_malloc_large(void) {
  make_large_block();
}
static void do_calloc(void) {
  block = calloc(4, 16);
}
static void do_posix_memalign(void) {
  if (posix_memalign(&block, 64, 64)) block = NULL;
}
static void do_new(void) {
  block = operator_new(64);
}
static void do_delete(void) {
  void *volatile old = block;
  block = NULL;
  operator_delete(old);
}
static void do_free(void) {
  void *volatile old = block;
  block = NULL;
  free(old);
}
static void do_realloc(void) {
  void *old = block;
  block = NULL;
  block = realloc(old, 3000);
}
static void do_mmap(void) {
  make_map();
}
static void do_munmap(void) {
  munmap(map, 3 * MAPPING);
}
static void do_munmap_part(void) {
  munmap((char *)map + MAPPING, MAPPING);
}
static void do_mremap(void) {
  void *moved = mremap(map, 3 * MAPPING, 5 * MAPPING, MREMAP_MAYMOVE);
  if (moved != MAP_FAILED) munmap(moved, 5 * MAPPING);
}
static void do_pool(void) {
  static char pool[64];
  memhook_alloc(pool, sizeof pool);
  memhook_free(pool);
}
static void do_failing_exec(void) {
  char *none[] = {NULL};
  execve("/nowhere", none, none);
}
static void close_plugin(void) {
  void *old = plugin;
  plugin = NULL;
  if (old) CHECK(dlclose(old) == 0);
}
static void do_dlopen(void) {
  plugin = dlopen(plugin_path, RTLD_NOW);
}
static void open_plugin(void) {
  close_plugin();
  do_dlopen();
  CHECK(plugin != NULL);
}
static void *(*lend)(void);
static void find_in_plugin(void) {
  open_plugin();
  *(void **)&lend = dlsym(plugin, "plugin_lend");
}
static void do_call_plugin(void) {
  block = lend();
}
static void open_and_call_plugin(void) {
  find_in_plugin();
  do_call_plugin();
}
/* Records, stacks and regions, kept, until their tables have had to grow. Only the turns in which they do are stepped
 * through: they take other memory than the rest, which a turn in another process tells, and that is made first. */
static volatile unsigned grown;
static bool *grows; /* shared; in which turn */
static long taken_by_now(void) {
  char text[256] = "";
  long pages = 0, written = 0;
  int memory = open("/proc/self/statm", O_RDONLY), io = open("/proc/self/io", O_RDONLY);
  if (read(memory, text, sizeof text - 1) > 0) pages = atol(text);
  if (read(io, text, sizeof text - 1) > 0 && strstr(text, "wchar: ")) written = atol(strstr(text, "wchar: ") + 7);
  close(memory);
  close(io);
  return pages * 4096 + written;
}
static void do_grow(void) {
  bool collecting = is_stepped;
  while (grown < GROWING) {
    unsigned turn = grown++;
    long before = collecting ? 0 : taken_by_now();
    if (collecting) (grows[turn] ? set_trap : clear_trap)();
    do_malloc_new();
    do_malloc_new();
    mmap(NULL, MAPPING, turn % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!collecting) grows[turn] = taken_by_now() - before != MAPPING;
  }
}

static const struct operation {
  const char *name;
  void (*before)(void), (*run)(void);
  enum {
    ALL,
    ALONE, /* without what is called in the loader, which has its lock then */
    ONCE,  /* in a process */
  } how;
} operations[] = {
    {"malloc", nothing, do_malloc, ALL},
    {"malloc-new", nothing, do_malloc_new, ALL},
    {"malloc-large", nothing, do_malloc_large, ALL},
    {"calloc", nothing, do_calloc, ALL},
    {"posix_memalign", nothing, do_posix_memalign, ALL},
    {"new", nothing, do_new, ALL},
    {"delete", make_block, do_delete, ALL},
    {"free", make_block, do_free, ALL},
    {"free-large", make_large_block, do_free, ALL},
    {"free-several", make_several, do_free_several, ALL},
    {"realloc", make_block, do_realloc, ALL},
    {"realloc-large", make_large_block, do_realloc, ALL},
    {"mmap", nothing, do_mmap, ALL},
    {"munmap", make_map, do_munmap, ALL},
    {"munmap-part", make_map, do_munmap_part, ALL},
    {"mremap", make_map, do_mremap, ALL},
    {"pool", nothing, do_pool, ALL},
    {"exec", nothing, do_failing_exec, ALL},
    {"dlopen", close_plugin, do_dlopen, ALONE},
    {"plugin", find_in_plugin, do_call_plugin, ALONE},
    {"dlclose", open_and_call_plugin, close_plugin, ALONE},
    {"grow", nothing, do_grow, ONCE},
};

static void find_functions(void) {
  dlopen("libstdc++.so.6", RTLD_NOW | RTLD_GLOBAL); /* without it memhook's operators do what malloc and free do */
  *(void **)&operator_new = dlsym(RTLD_DEFAULT, "_Znwm");
  *(void **)&operator_delete = dlsym(RTLD_DEFAULT, "_ZdlPv");
  CHECK(operator_new && operator_delete);
  grows = mmap(NULL, GROWING, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(grows != MAP_FAILED);
}
