/* memhook.h: for custom allocators and pools, which memhook cannot see by itself.
 *
 *     void *pool_get(struct pool *pool, size_t size) {
 *       void *block = …;
 *       memhook_alloc(block, size);
 *       return block;
 *     }
 *     void pool_put(struct pool *pool, void *block) {
 *       memhook_free(block);
 *       …
 *     }
 *
 * Without memhook in the process both are a test of a null pointer; there is nothing to link with. Neither fails, and
 * NULL is no block. A block may lie inside one that malloc returned: the two are told apart by their kind. Sizes in
 * bytes. For C and C++, GCC and Clang; test/programs/pool.c of memhook's sources is an example.
 */
#pragma once
#include <stddef.h>

/* The functions are looked up where the dynamic loader puts them. The plain way, a weak declaration, does not do in
 * programs that are not position independent: there the linker settles that the functions are missing. */
#if defined(__x86_64__) && defined(__LP64__)
#define MEMHOOK_FIND(name, function) __asm__(".weak " #name "\n\tmovq " #name "@GOTPCREL(%%rip), %0" : "=r"(function))
#elif defined(__aarch64__) && defined(__LP64__)
#define MEMHOOK_FIND(name, function) \
  __asm__(".weak " #name "\n\tadrp %0, :got:" #name "\n\tldr %0, [%0, #:got_lo12:" #name "]" : "=r"(function))
#else
#ifdef __cplusplus
extern "C" {
#endif
void memhook_alloc_function(const void *block, size_t size) __asm__("memhook_alloc") __attribute__((weak));
void memhook_free_function(const void *block) __asm__("memhook_free") __attribute__((weak));
#ifdef __cplusplus
}
#endif
#define MEMHOOK_FIND(name, function) (function = name##_function)
#endif

/* Says that `block` of `size` bytes is in use now; the caller's stack is recorded. */
#define memhook_alloc(block, size)                                     \
  __extension__({                                                      \
    void (*memhook_function)(const void *, size_t);                    \
    MEMHOOK_FIND(memhook_alloc, memhook_function);                   \
    if (memhook_function) memhook_function((block), (size_t)(size));   \
  })

/* Says that `block` is free again; before it may be handed out anew. */
#define memhook_free(block)                           \
  __extension__({                                     \
    void (*memhook_function)(const void *);           \
    MEMHOOK_FIND(memhook_free, memhook_function);   \
    if (memhook_function) memhook_function((block));  \
  })
