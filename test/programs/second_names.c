/* Allocates by each second name of the heap that is there, three blocks a name: two are given back by the other
 * names, one stays and is printed with keep(). `weak`: it has the names by weak references, as programs that use what
 * is there; `dlsym`: it asks for them; a path: it loads that library first. First of all it prints which names are
 * there.
 *
 * The store must hold exactly what was printed, with main as its innermost frame, and what is there must be what is
 * there without memhook.
 */
#include <dlfcn.h>
#include <stdbool.h>

#include "program.h"

typedef uintptr_t word;
typedef word function(word, ...);

#define NAMES(F)                                                                                               \
  F(mallocx) F(rallocx) F(xallocx) F(dallocx) F(sdallocx) F(mi_malloc) F(mi_malloc_small) F(mi_mallocn)        \
  F(mi_zalloc) F(mi_zalloc_small) F(mi_calloc) F(mi_malloc_aligned) F(mi_malloc_aligned_at)                    \
  F(mi_zalloc_aligned) F(mi_zalloc_aligned_at) F(mi_calloc_aligned) F(mi_calloc_aligned_at)                    \
  F(mi_aligned_alloc) F(mi_memalign) F(mi_valloc) F(mi_pvalloc) F(mi_posix_memalign) F(mi_new)                 \
  F(mi_new_aligned) F(mi_new_nothrow) F(mi_new_aligned_nothrow) F(mi_new_n) F(mi_strdup) F(mi_strndup)         \
  F(mi_mbsdup) F(mi_wcsdup) F(mi_dupenv_s) F(mi_realpath) F(mi_realloc) F(mi_reallocn) F(mi_reallocarray)      \
  F(mi_reallocarr) F(mi_reallocf) F(mi_rezalloc) F(mi_recalloc) F(mi_realloc_aligned) F(mi_realloc_aligned_at) \
  F(mi_rezalloc_aligned) F(mi_rezalloc_aligned_at) F(mi_recalloc_aligned) F(mi_recalloc_aligned_at)            \
  F(mi_aligned_recalloc) F(mi_aligned_offset_recalloc) F(mi_new_realloc) F(mi_new_reallocn) F(mi_expand)       \
  F(mi_free) F(mi_cfree) F(mi_free_size) F(mi_free_size_aligned) F(mi_free_aligned) F(mi_heap_new)             \
  F(mi_heap_destroy) F(mi_heap_delete) F(mi_heap_malloc) F(mi_heap_malloc_small) F(mi_heap_mallocn)            \
  F(mi_heap_zalloc) F(mi_heap_calloc) F(mi_heap_malloc_aligned) F(mi_heap_malloc_aligned_at)                   \
  F(mi_heap_zalloc_aligned) F(mi_heap_zalloc_aligned_at) F(mi_heap_calloc_aligned)                             \
  F(mi_heap_calloc_aligned_at) F(mi_heap_alloc_new) F(mi_heap_alloc_new_n) F(mi_heap_strdup)                   \
  F(mi_heap_strndup) F(mi_heap_realpath) F(mi_heap_realloc) F(mi_heap_reallocn) F(mi_heap_reallocf)            \
  F(mi_heap_rezalloc) F(mi_heap_recalloc) F(mi_heap_realloc_aligned) F(mi_heap_realloc_aligned_at)             \
  F(mi_heap_rezalloc_aligned) F(mi_heap_rezalloc_aligned_at) F(mi_heap_recalloc_aligned)                       \
  F(mi_heap_recalloc_aligned_at) F(mi_heap_visit_blocks) F(nallocx) F(mallctl) F(scalable_msize) F(tc_malloc)  \
  F(tc_malloc_skip_new_handler) F(tc_calloc) F(tc_memalign) F(tc_valloc) F(tc_pvalloc) F(tc_posix_memalign)    \
  F(tc_new) F(tc_new_nothrow) F(tc_new_aligned) F(tc_new_aligned_nothrow) F(tc_newarray)                       \
  F(tc_newarray_nothrow) F(tc_newarray_aligned) F(tc_newarray_aligned_nothrow) F(tc_realloc) F(tc_free)        \
  F(tc_free_sized) F(tc_cfree) F(tc_delete) F(tc_delete_sized) F(tc_delete_nothrow) F(tc_delete_aligned)       \
  F(tc_delete_aligned_nothrow) F(tc_delete_sized_aligned) F(tc_deletearray) F(tc_deletearray_sized)            \
  F(tc_deletearray_nothrow) F(tc_deletearray_aligned) F(tc_deletearray_aligned_nothrow)                        \
  F(tc_deletearray_sized_aligned) F(scalable_malloc) F(scalable_calloc) F(scalable_aligned_malloc)             \
  F(scalable_posix_memalign) F(scalable_realloc) F(scalable_aligned_realloc) F(scalable_free)                  \
  F(scalable_aligned_free) F(__libc_malloc) F(__libc_calloc) F(__libc_memalign) F(__libc_valloc)               \
  F(__libc_pvalloc) F(__libc_realloc) F(__libc_free) F(free_sized) F(free_aligned_sized) F(je_malloc)          \
  F(je_free) F(je_mallocx) F(reallocf) F(reallocarr) F(_aligned_malloc) F(vfree)

#define DECLARE(name) extern function name __attribute__((weak));
NAMES(DECLARE)
enum {
#define INDEX(name) INDEX_##name,
  NAMES(INDEX) COUNT
};
static function *weak[COUNT];
static void look(void) {
#define LOOK(name) weak[INDEX_##name] = name;
  NAMES(LOOK)
}
static const char *const names[] = {
#define TEXT(name) #name,
    NAMES(TEXT)};
static function *found[COUNT];

/* The heap that a name belongs to: what gives its blocks back. */
struct freer {
  int index;
  word second, third; /* parameters behind the block; SIZE: its size */
};
enum { SIZE = -1, PLAIN_FREE = -1 };
static const struct freer jemalloc[] = {{INDEX_dallocx, 0, 0}, {INDEX_sdallocx, SIZE, 0}, {PLAIN_FREE, 0, 0}, {0}};
static const struct freer mimalloc[] = {
    {INDEX_mi_free, 0, 0}, {INDEX_mi_free_size, SIZE, 0}, {INDEX_mi_cfree, 0, 0}, {PLAIN_FREE, 0, 0}, {0}};
static const struct freer mimalloc_aligned[] = {
    {INDEX_mi_free_aligned, 32, 0}, {INDEX_mi_free_size_aligned, SIZE, 32}, {0}};
static const struct freer tcmalloc[] = {{INDEX_tc_free, 0, 0},          {INDEX_tc_free_sized, SIZE, 0},
                                        {INDEX_tc_cfree, 0, 0},         {INDEX_tc_delete, 0, 0},
                                        {INDEX_tc_delete_sized, SIZE, 0}, {INDEX_tc_delete_nothrow, 0, 0},
                                        {INDEX_tc_deletearray, 0, 0},   {INDEX_tc_deletearray_sized, SIZE, 0},
                                        {INDEX_tc_deletearray_nothrow, 0, 0}, {PLAIN_FREE, 0, 0}, {0}};
static const struct freer tcmalloc_aligned[] = {{INDEX_tc_delete_aligned, 32, 0},
                                                {INDEX_tc_delete_aligned_nothrow, 32, 0},
                                                {INDEX_tc_delete_sized_aligned, SIZE, 32},
                                                {INDEX_tc_deletearray_aligned, 32, 0},
                                                {INDEX_tc_deletearray_aligned_nothrow, 32, 0},
                                                {INDEX_tc_deletearray_sized_aligned, SIZE, 32},
                                                {0}};
static const struct freer tbb[] = {{INDEX_scalable_free, 0, 0}, {0}};
static const struct freer tbb_aligned[] = {{INDEX_scalable_aligned_free, 0, 0}, {0}};
static const struct freer libc[] = {{INDEX___libc_free, 0, 0}, {0}};

static const struct freer je[] = {{INDEX_je_free, 0, 0}, {0}};

static unsigned turn;

static void give_back(const struct freer *heap, word block, word size) {
  unsigned count = 0;
  while (heap[count].index || heap[count].second || heap[count].third) count++;
  const struct freer *freer = &heap[turn++ % count];
  if (freer->index == PLAIN_FREE)
    free((void *)block);
  else
    found[freer->index](block, freer->second == (word)SIZE ? size : freer->second, freer->third);
}

static char text[1024];
static char *text_of(word size) {
  memset(text, 'x', size - 1);
  text[size - 1] = 0;
  return text;
}
static unsigned short text16[1024];
static unsigned short *text16_of(word size) {
  for (word i = 0; i < size / 2 - 1; i++) text16[i] = 'x';
  text16[size / 2 - 1] = 0;
  return text16;
}

#define CALL(name, first, ...) found[INDEX_##name]((word)(first), ##__VA_ARGS__)

/* `call` is an expression of f, the function, and of size, and gives the block. */
#define f(first, ...) function_((word)(first), ##__VA_ARGS__)
#define BY(name, heap, call)                                  \
  if (found[INDEX_##name]) {                                  \
    function *function_ = found[INDEX_##name];                \
    word size = next += 2, block;                             \
    for (int i = 0; i < 2; i++) {                             \
      block = call;                                           \
      CHECK(block != 0);                                      \
      give_back(heap, block, size);                           \
    }                                                         \
    block = call;                                             \
    keep((void *)block, size);                                \
  }

#define STORED(call) (CHECK_ZERO((int)call), (word)stored)
static void *stored;
static void CHECK_ZERO(int result) { CHECK(result == 0); }

int main(int count, char **arguments) {
  CHECK(count == 2);
  bool by_reference = strcmp(arguments[1], "weak") == 0;
  look();
  void *library = RTLD_DEFAULT;
  if (arguments[1][0] == '/') CHECK((library = dlopen(arguments[1], RTLD_NOW)) != NULL);
  for (int i = 0; i < COUNT; i++) {
    void *address = dlsym(library, names[i]);
    found[i] = by_reference ? weak[i] : (function *)(intptr_t)address;
    if (weak[i] || address) say("%s %s %s\n", names[i], weak[i] ? "there" : "-", address ? "there" : "-");
  }
  CHECK(setenv("SECOND_NAMES", text_of(700), 1) == 0);
  word next = 300;

  /* Called as it is, without a pointer: for the program's own table of functions. */
#define DIRECT(allocate, give_back)                                      \
  if (by_reference && allocate) {                                        \
    word size = next += 2;                                               \
    for (int i = 0; i < 3; i++) give_back(allocate(size, (word)0), (word)0); \
    keep((void *)allocate(size, (word)0), size);                         \
  }
  DIRECT(mallocx, dallocx)
  DIRECT(mi_malloc, mi_free)
  DIRECT(tc_malloc, tc_delete)
  DIRECT(scalable_malloc, scalable_free)
  DIRECT(__libc_malloc, __libc_free)

  BY(mallocx, jemalloc, f(size, 0))
  BY(rallocx, jemalloc, f(CALL(mallocx, 8, 0), size, 0))
  if (found[INDEX_xallocx]) {
    word block = CALL(mallocx, 5000, 0);
    CHECK(CALL(xallocx, block, 5003, 0, 0) >= 5003);
    CHECK(CALL(xallocx, block, 1u << 30, 0, 0) < 1u << 30);
    keep((void *)block, 5003);
  }
  BY(je_malloc, je, f(size))
  BY(je_mallocx, je, f(size, 0))

  BY(mi_malloc, mimalloc, f(size))
  BY(mi_malloc_small, mimalloc, f(size))
  BY(mi_mallocn, mimalloc, f((word)2, size / 2))
  BY(mi_zalloc, mimalloc, f(size))
  BY(mi_zalloc_small, mimalloc, f(size))
  BY(mi_calloc, mimalloc, f((word)2, size / 2))
  BY(mi_malloc_aligned, mimalloc_aligned, f(size, 32))
  BY(mi_malloc_aligned_at, mimalloc, f(size, 32, 16))
  BY(mi_zalloc_aligned, mimalloc_aligned, f(size, 32))
  BY(mi_zalloc_aligned_at, mimalloc, f(size, 32, 16))
  BY(mi_calloc_aligned, mimalloc_aligned, f((word)2, size / 2, 32))
  BY(mi_calloc_aligned_at, mimalloc, f((word)2, size / 2, 32, 16))
  BY(mi_aligned_alloc, mimalloc_aligned, f(32, size))
  BY(mi_memalign, mimalloc_aligned, f(32, size))
  BY(mi_valloc, mimalloc, f(size))
  BY(mi_posix_memalign, mimalloc, STORED(f(&stored, 32, size)))
  BY(mi_new, mimalloc, f(size))
  BY(mi_new_aligned, mimalloc_aligned, f(size, 32))
  BY(mi_new_nothrow, mimalloc, f(size))
  BY(mi_new_aligned_nothrow, mimalloc_aligned, f(size, 32))
  BY(mi_new_n, mimalloc, f((word)2, size / 2))
  BY(mi_strdup, mimalloc, f(text_of(size)))
  BY(mi_strndup, mimalloc, f(text_of(900), size - 1))
  BY(mi_mbsdup, mimalloc, f(text_of(size)))
  BY(mi_wcsdup, mimalloc, f(text16_of(size)))
  BY(mi_realloc, mimalloc, f(CALL(mi_malloc, 8), size))
  BY(mi_reallocn, mimalloc, f(malloc(8), (word)2, size / 2))
  BY(mi_reallocarray, mimalloc, f(malloc(8), (word)2, size / 2))
  BY(mi_reallocarr, mimalloc, STORED(f(((stored = malloc(8)), &stored), (word)2, size / 2)))
  BY(mi_reallocf, mimalloc, f(malloc(8), size))
  BY(reallocf, mimalloc, f(malloc(8), size))
  BY(reallocarr, mimalloc, STORED(f(((stored = malloc(8)), &stored), (word)2, size / 2)))
  BY(_aligned_malloc, mimalloc_aligned, f(32, size))
  if (found[INDEX_vfree]) CALL(vfree, malloc(300));
  BY(mi_rezalloc, mimalloc, f(CALL(mi_zalloc, 8), size))
  BY(mi_recalloc, mimalloc, f(CALL(mi_zalloc, 8), (word)2, size / 2))
  BY(mi_realloc_aligned, mimalloc_aligned, f(malloc(8), size, 32))
  BY(mi_realloc_aligned_at, mimalloc, f(malloc(8), size, 32, 16))
  BY(mi_rezalloc_aligned, mimalloc_aligned, f(CALL(mi_zalloc, 8), size, 32))
  BY(mi_rezalloc_aligned_at, mimalloc, f(CALL(mi_zalloc, 8), size, 32, 16))
  BY(mi_recalloc_aligned, mimalloc_aligned, f(CALL(mi_zalloc, 8), (word)2, size / 2, 32))
  BY(mi_recalloc_aligned_at, mimalloc, f(CALL(mi_zalloc, 8), (word)2, size / 2, 32, 16))
  BY(mi_new_realloc, mimalloc, f(malloc(8), size))
  BY(mi_new_reallocn, mimalloc, f(malloc(8), (word)2, size / 2))
  BY(mi_expand, mimalloc, f(malloc(1000), size))
  if (found[INDEX_mi_dupenv_s]) {
    size_t length;
    CHECK((int)CALL(mi_dupenv_s, &stored, &length, "SECOND_NAMES") == 0);
    keep(stored, 700);
  }
  if (found[INDEX_mi_realpath]) {
    keep((void *)CALL(mi_realpath, "/", NULL), 2);
    char *buffer = malloc(4096); /* not a new block: freed once */
    CHECK(CALL(mi_realpath, "/", buffer) == (word)buffer);
    free(buffer);
  }
  if (found[INDEX_mi_heap_new]) {
    word heap = CALL(mi_heap_new, 0);
    BY(mi_heap_malloc, mimalloc, f(heap, size))
    BY(mi_heap_malloc_small, mimalloc, f(heap, size))
    BY(mi_heap_mallocn, mimalloc, f(heap, (word)2, size / 2))
    BY(mi_heap_zalloc, mimalloc, f(heap, size))
    BY(mi_heap_calloc, mimalloc, f(heap, (word)2, size / 2))
    BY(mi_heap_malloc_aligned, mimalloc_aligned, f(heap, size, 32))
    BY(mi_heap_malloc_aligned_at, mimalloc, f(heap, size, 32, 16))
    BY(mi_heap_zalloc_aligned, mimalloc_aligned, f(heap, size, 32))
    BY(mi_heap_zalloc_aligned_at, mimalloc, f(heap, size, 32, 16))
    BY(mi_heap_calloc_aligned, mimalloc_aligned, f(heap, (word)2, size / 2, 32))
    BY(mi_heap_calloc_aligned_at, mimalloc, f(heap, (word)2, size / 2, 32, 16))
    BY(mi_heap_alloc_new, mimalloc, f(heap, size))
    BY(mi_heap_alloc_new_n, mimalloc, f(heap, (word)2, size / 2))
    BY(mi_heap_strdup, mimalloc, f(heap, text_of(size)))
    BY(mi_heap_strndup, mimalloc, f(heap, text_of(900), size - 1))
    BY(mi_heap_realloc, mimalloc, f(heap, malloc(8), size))
    BY(mi_heap_reallocn, mimalloc, f(heap, malloc(8), (word)2, size / 2))
    BY(mi_heap_reallocf, mimalloc, f(heap, malloc(8), size))
    BY(mi_heap_rezalloc, mimalloc, f(heap, CALL(mi_zalloc, 8), size))
    BY(mi_heap_recalloc, mimalloc, f(heap, CALL(mi_zalloc, 8), (word)2, size / 2))
    BY(mi_heap_realloc_aligned, mimalloc_aligned, f(heap, malloc(8), size, 32))
    BY(mi_heap_realloc_aligned_at, mimalloc, f(heap, malloc(8), size, 32, 16))
    BY(mi_heap_rezalloc_aligned, mimalloc_aligned, f(heap, CALL(mi_zalloc, 8), size, 32))
    BY(mi_heap_recalloc_aligned, mimalloc_aligned, f(heap, CALL(mi_zalloc, 8), (word)2, size / 2, 32))
    CALL(mi_heap_delete, heap); /* its blocks stay */
    heap = CALL(mi_heap_new, 0);
    for (int i = 0; i < 100; i++) CHECK(CALL(mi_heap_malloc, heap, 100 * i) != 0);
    CALL(mi_heap_destroy, heap); /* its blocks go */
  }

  BY(tc_malloc, tcmalloc, f(size))
  BY(tc_malloc_skip_new_handler, tcmalloc, f(size))
  BY(tc_calloc, tcmalloc, f((word)2, size / 2))
  BY(tc_memalign, tcmalloc_aligned, f(32, size))
  BY(tc_valloc, tcmalloc, f(size))
  BY(tc_posix_memalign, tcmalloc_aligned, STORED(f(&stored, 32, size)))
  BY(tc_new, tcmalloc, f(size))
  BY(tc_new_nothrow, tcmalloc, f(size, text))
  BY(tc_new_aligned, tcmalloc_aligned, f(size, 32))
  BY(tc_new_aligned_nothrow, tcmalloc_aligned, f(size, 32, text))
  BY(tc_newarray, tcmalloc, f(size))
  BY(tc_newarray_nothrow, tcmalloc, f(size, text))
  BY(tc_newarray_aligned, tcmalloc_aligned, f(size, 32))
  BY(tc_newarray_aligned_nothrow, tcmalloc_aligned, f(size, 32, text))
  BY(tc_realloc, tcmalloc, f(malloc(8), size))
  if (found[INDEX_tc_realloc]) CHECK(CALL(tc_realloc, malloc(8), 0) == 0);

  BY(scalable_malloc, tbb, f(size))
  BY(scalable_calloc, tbb, f((word)2, size / 2))
  BY(scalable_aligned_malloc, tbb_aligned, f(size, 32))
  BY(scalable_posix_memalign, tbb, STORED(f(&stored, 32, size)))
  BY(scalable_realloc, tbb, f(CALL(scalable_malloc, 8), size))
  BY(scalable_aligned_realloc, tbb_aligned, f(CALL(scalable_aligned_malloc, 8, 32), size, 32))
  if (found[INDEX_scalable_realloc]) CHECK(CALL(scalable_realloc, CALL(scalable_malloc, 8), 0) == 0);

  BY(__libc_malloc, libc, f(size))
  BY(__libc_calloc, libc, f((word)2, size / 2))
  BY(__libc_memalign, libc, f(32, size))
  BY(__libc_valloc, libc, f(size))
  BY(__libc_realloc, libc, f(CALL(__libc_malloc, 8), size))
  if (found[INDEX_free_sized]) {
    CALL(free_sized, malloc(40), 40);
    CALL(free_aligned_sized, aligned_alloc(32, 64), 32, 64);
    void *block = malloc(500);
    keep(block, 500);
  }
  return 0;
}
