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
 * Without memhook in the process both are a test of a null pointer; there is nothing to link with. Neither fails. A block
 * may lie inside one that malloc returned: the two are told apart by their kind. Sizes in bytes.
 */
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

void memhook_alloc_function(const void *block, size_t size) __asm__("memhook_alloc") __attribute__((weak));
void memhook_free_function(const void *block) __asm__("memhook_free") __attribute__((weak));

/* Says that `block` of `size` bytes is in use now; the caller's stack is recorded. */
#define memhook_alloc(block, size) ((void)(memhook_alloc_function && (memhook_alloc_function((block), (size)), 1)))

/* Says that `block` is free again; before it may be handed out anew. */
#define memhook_free(block) ((void)(memhook_free_function && (memhook_free_function(block), 1)))

#ifdef __cplusplus
}
#endif
