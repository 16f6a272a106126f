/* The list of second names of heaps: what allocators export besides malloc and free, and other names of these two in C
 * libraries. memhook exports none of these names, because programs test whether they exist (`if (sdallocx) …`, dlsym).
 * It redirects the ones that exist: see redirect.h.
 *
 * MH_NAMES(NEW, STORE, RESIZE, FREE). All parameters of these functions are pointers and integers; a, b, c … are the
 * first of them.
 *
 *   NEW(name, size)          returns a block of `size` bytes
 *   STORE(name, size)        stores it at *a and returns 0
 *   RESIZE(name, old, size)  returns the new block for `old`; NULL: it failed, and `old` is as it was
 *   FREE(name, block)
 *
 * A function of another kind has a hook written by hand, in hooks_names.c: MH_ODD_NAMES.
 */
#pragma once

/* `p`: the prefix that jemalloc was built with. */
#define MH_NAMES_JEMALLOC(NEW, STORE, RESIZE, FREE, p) \
  NEW(p##mallocx, a)                                   \
  RESIZE(p##rallocx, a, b)                             \
  FREE(p##dallocx, a)                                  \
  FREE(p##sdallocx, a)

#define MH_NAMES_JE(NEW, STORE, RESIZE, FREE)      \
  MH_NAMES_JEMALLOC(NEW, STORE, RESIZE, FREE, )    \
  MH_NAMES_JEMALLOC(NEW, STORE, RESIZE, FREE, je_) \
  NEW(je_malloc, a)                                \
  NEW(je_calloc, a * b)                            \
  NEW(je_aligned_alloc, b)                         \
  NEW(je_memalign, b)                              \
  NEW(je_valloc, a)                                \
  NEW(je_pvalloc, a)                               \
  STORE(je_posix_memalign, c)                      \
  RESIZE(je_realloc, a, b)                         \
  FREE(je_free, a)                                 \
  FREE(je_free_sized, a)                           \
  FREE(je_free_aligned_sized, a)

#define MH_NAMES_MIMALLOC(NEW, STORE, RESIZE, FREE) \
  NEW(mi_malloc, a)                                 \
  NEW(mi_malloc_small, a)                           \
  NEW(mi_mallocn, a * b)                            \
  NEW(mi_zalloc, a)                                 \
  NEW(mi_zalloc_small, a)                           \
  NEW(mi_calloc, a * b)                             \
  NEW(mi_malloc_aligned, a)                         \
  NEW(mi_malloc_aligned_at, a)                      \
  NEW(mi_zalloc_aligned, a)                         \
  NEW(mi_zalloc_aligned_at, a)                      \
  NEW(mi_calloc_aligned, a * b)                     \
  NEW(mi_calloc_aligned_at, a * b)                  \
  NEW(mi_aligned_alloc, b)                          \
  NEW(mi_memalign, b)                               \
  NEW(mi_valloc, a)                                 \
  NEW(mi_pvalloc, a)                                \
  STORE(mi_posix_memalign, c)                       \
  NEW(mi_new, a)                                    \
  NEW(mi_new_aligned, a)                            \
  NEW(mi_new_nothrow, a)                            \
  NEW(mi_new_aligned_nothrow, a)                    \
  NEW(mi_new_n, a * b)                              \
  NEW(mi_strdup, TEXT)                              \
  NEW(mi_strndup, TEXT)                             \
  NEW(mi_mbsdup, TEXT)                              \
  NEW(mi_wcsdup, TEXT16)                            \
  STORE(mi_dupenv_s, TEXT)                          \
  RESIZE(mi_realloc, a, b)                          \
  RESIZE(mi_reallocn, a, b * c)                     \
  RESIZE(mi_reallocarray, a, b * c)                 \
  RESIZE(mi_rezalloc, a, b)                         \
  RESIZE(mi_recalloc, a, b * c)                     \
  RESIZE(mi_realloc_aligned, a, b)                  \
  RESIZE(mi_realloc_aligned_at, a, b)               \
  RESIZE(mi_rezalloc_aligned, a, b)                 \
  RESIZE(mi_rezalloc_aligned_at, a, b)              \
  RESIZE(mi_recalloc_aligned, a, b * c)             \
  RESIZE(mi_recalloc_aligned_at, a, b * c)          \
  RESIZE(mi_aligned_recalloc, a, b * c)             \
  RESIZE(mi_aligned_offset_recalloc, a, b * c)      \
  RESIZE(mi_new_realloc, a, b)                      \
  RESIZE(mi_new_reallocn, a, b * c)                 \
  RESIZE(mi_expand, a, b)                           \
  RESIZE(mi__expand, a, b)                          \
  FREE(mi_free, a)                                  \
  FREE(mi_cfree, a)                                 \
  FREE(mi_free_size, a)                             \
  FREE(mi_free_size_aligned, a)                     \
  FREE(mi_free_aligned, a)                          \
  FREE(vfree, a)                                    \
  NEW(_aligned_malloc, b)                           \
  NEW(mi_heap_malloc, b)                            \
  NEW(mi_heap_malloc_small, b)                      \
  NEW(mi_heap_mallocn, b * c)                       \
  NEW(mi_heap_zalloc, b)                            \
  NEW(mi_heap_calloc, b * c)                        \
  NEW(mi_heap_malloc_aligned, b)                    \
  NEW(mi_heap_malloc_aligned_at, b)                 \
  NEW(mi_heap_zalloc_aligned, b)                    \
  NEW(mi_heap_zalloc_aligned_at, b)                 \
  NEW(mi_heap_calloc_aligned, b * c)                \
  NEW(mi_heap_calloc_aligned_at, b * c)             \
  NEW(mi_heap_alloc_new, b)                         \
  NEW(mi_heap_alloc_new_n, b * c)                   \
  NEW(mi_heap_strdup, TEXT)                         \
  NEW(mi_heap_strndup, TEXT)                        \
  RESIZE(mi_heap_realloc, b, c)                     \
  RESIZE(mi_heap_reallocn, b, c * d)                \
  RESIZE(mi_heap_rezalloc, b, c)                    \
  RESIZE(mi_heap_recalloc, b, c * d)                \
  RESIZE(mi_heap_realloc_aligned, b, c)             \
  RESIZE(mi_heap_realloc_aligned_at, b, c)          \
  RESIZE(mi_heap_rezalloc_aligned, b, c)            \
  RESIZE(mi_heap_rezalloc_aligned_at, b, c)         \
  RESIZE(mi_heap_recalloc_aligned, b, c * d)        \
  RESIZE(mi_heap_recalloc_aligned_at, b, c * d)

#define MH_NAMES_TCMALLOC(NEW, STORE, RESIZE, FREE) \
  NEW(tc_malloc, a)                                 \
  NEW(tc_malloc_skip_new_handler, a)                \
  NEW(tc_calloc, a * b)                             \
  NEW(tc_memalign, b)                               \
  NEW(tc_valloc, a)                                 \
  NEW(tc_pvalloc, a)                                \
  NEW(tc_new, a)                                    \
  NEW(tc_new_nothrow, a)                            \
  NEW(tc_new_aligned, a)                            \
  NEW(tc_new_aligned_nothrow, a)                    \
  NEW(tc_newarray, a)                               \
  NEW(tc_newarray_nothrow, a)                       \
  NEW(tc_newarray_aligned, a)                       \
  NEW(tc_newarray_aligned_nothrow, a)               \
  STORE(tc_posix_memalign, c)                       \
  RESIZE(tc_realloc, a, b)                          \
  FREE(tc_free, a)                                  \
  FREE(tc_free_sized, a)                            \
  FREE(tc_cfree, a)                                 \
  FREE(tc_delete, a)                                \
  FREE(tc_delete_sized, a)                          \
  FREE(tc_delete_nothrow, a)                        \
  FREE(tc_delete_aligned, a)                        \
  FREE(tc_delete_aligned_nothrow, a)                \
  FREE(tc_delete_sized_aligned, a)                  \
  FREE(tc_deletearray, a)                           \
  FREE(tc_deletearray_sized, a)                     \
  FREE(tc_deletearray_nothrow, a)                   \
  FREE(tc_deletearray_aligned, a)                   \
  FREE(tc_deletearray_aligned_nothrow, a)           \
  FREE(tc_deletearray_sized_aligned, a)

#define MH_NAMES_TBB(NEW, STORE, RESIZE, FREE)     \
  NEW(scalable_malloc, a)                          \
  NEW(scalable_calloc, a * b)                      \
  NEW(scalable_aligned_malloc, a)                  \
  STORE(scalable_posix_memalign, c)                \
  RESIZE(scalable_realloc, a, b)                   \
  RESIZE(scalable_aligned_realloc, a, b)           \
  FREE(scalable_free, a)                           \
  FREE(scalable_aligned_free, a)                   \
  RESIZE(__TBB_malloc_safer_realloc, a, b)         \
  RESIZE(__TBB_malloc_safer_aligned_realloc, a, b) \
  FREE(__TBB_malloc_safer_free, a)

#define MH_NAMES_LIBC(NEW, STORE, RESIZE, FREE) \
  NEW(__libc_malloc, a)                         \
  NEW(__libc_calloc, a * b)                     \
  NEW(__libc_memalign, b)                       \
  NEW(__libc_valloc, a)                         \
  NEW(__libc_pvalloc, a)                        \
  STORE(__posix_memalign, c)                    \
  RESIZE(__libc_realloc, a, b)                  \
  RESIZE(__libc_reallocarray, a, b * c)         \
  FREE(__libc_free, a)                          \
  FREE(__libc_cfree, a)                         \
  FREE(free_sized, a)         /* C23 */         \
  FREE(free_aligned_sized, a) /* C23 */

#define MH_NAMES(NEW, STORE, RESIZE, FREE)    \
  MH_NAMES_JE(NEW, STORE, RESIZE, FREE)       \
  MH_NAMES_MIMALLOC(NEW, STORE, RESIZE, FREE) \
  MH_NAMES_TCMALLOC(NEW, STORE, RESIZE, FREE) \
  MH_NAMES_TBB(NEW, STORE, RESIZE, FREE)      \
  MH_NAMES_LIBC(NEW, STORE, RESIZE, FREE)

/* Families of names, by prefix: a prefix, and a pair of functions, one that allocates and one that frees. A name with
 * the prefix is the allocator's only in an object that has both functions. Other libraries also have a tc_new or
 * free_sized, with other parameters. Names of no family are reserved for the C library. */
#define MH_NAME_FAMILIES(F)                          \
  F("mallocx", "mallocx", "dallocx")                 \
  F("rallocx", "mallocx", "dallocx")                 \
  F("xallocx", "mallocx", "dallocx")                 \
  F("dallocx", "mallocx", "dallocx")                 \
  F("sdallocx", "mallocx", "dallocx")                \
  F("je_", "je_malloc", "je_free")                   \
  F("mi_", "mi_malloc", "mi_free")                   \
  F("vfree", "mi_malloc", "mi_free")                 \
  F("_aligned_", "mi_malloc", "mi_free")             \
  F("reallocf", "mi_malloc", "mi_free")              \
  F("reallocarr", "mi_malloc", "mi_free")            \
  F("tc_", "tc_malloc", "tc_free")                   \
  F("scalable_", "scalable_malloc", "scalable_free") \
  F("__TBB_", "scalable_malloc", "scalable_free")    \
  F("free_", "free_sized", "free_aligned_sized")

/* dlsym is here because it may be called for functions that were loaded just now. */
#define MH_ODD_NAMES(HOOK, REAL) \
  HOOK(dlsym)                    \
  HOOK(xallocx)                  \
  HOOK(je_xallocx)               \
  HOOK(mi_reallocf)              \
  HOOK(mi_heap_reallocf)         \
  HOOK(reallocf)                 \
  HOOK(mi_reallocarr)            \
  HOOK(reallocarr)               \
  HOOK(mi_realpath)              \
  HOOK(mi_heap_realpath)         \
  HOOK(mi_heap_destroy)          \
  REAL(mi_heap_visit_blocks)
