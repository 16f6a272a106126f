/* Hooks: second names of heaps (names.h). These hooks are not exported: redirect.c redirects the real functions to
 * them.
 *
 * The real functions' parameters are pointers and integers, at most six. So each hook takes the six registers that may
 * hold parameters, and passes them on as they are.
 */
#include "hook.h"
#include "names.h"
#include "redirect.h"
#include "../base/text.h"

typedef uintptr_t word;
#define WORDS word a, word b, word c, word d, word e, word f
#define NAME_HOOK static __attribute__((noinline)) word

enum {
#define F(name, ...) INDEX_##name,
  MH_NAMES(F, F, F, F) MH_ODD_NAMES(F, F)
#undef F
};
#define CALL(name) ((word(*)(WORDS))mh_redirects[INDEX_##name].real)(a, b, c, d, e, f)

/* A call inside another hook is not recorded: that hook records its own. While memhook's tables are being changed, it
 * is a signal handler's, and counted as dropped. */
static void nested(const void *block, uint64_t size) {
  if (MH_UNLIKELY(block && mh_tls.guard & MH_GUARD_RECORDING)) mh_store_drop(size);
}

/* The work before and after the call of the real function. It is not inlined into the many hooks, which only pass their
 * frame and entry. */
static __attribute__((noinline)) bool enter(const void *frame) {
  return mh_enter_at(MH_HOOK_WRAP, (uintptr_t)frame);
}
#define ENTER() enter(__builtin_frame_address(0))

static __attribute__((noinline)) void record(bool entered, void *block, uint64_t size, struct mh_entry entry) {
  if (MH_UNLIKELY(!entered)) return nested(block, size);
  if (MH_UNLIKELY(!block)) return mh_leave();
  mh_begin();
  mh_record_and_leave(block, size, entry.pc, entry.sp, entry.fp);
}

static __attribute__((noinline)) struct mh_taken take(void *old, bool entered) {
  if (MH_LIKELY(entered && old)) return mh_hook_take(old);
  if (!entered) mh_nested_free(old);
  return (struct mh_taken){0};
}

static __attribute__((noinline)) void moved(bool entered, void *old, void *block, uint64_t size,
                                            const struct mh_taken *taken, struct mh_entry entry) {
  if (MH_UNLIKELY(!entered)) return nested(block, size);
  mh_hook_moved(old, block, size, taken, &entry);
  mh_leave();
}

static __attribute__((noinline)) void forget(void *block, bool entered) {
  if (MH_UNLIKELY(!entered)) return mh_nested_free(block);
  if (!block || !mh_index_may_have(block)) return;
  mh_begin();
  mh_record_heap_free(block);
  mh_finish();
}

#define TEXT (block ? mh_length((const char *)block) + 1 : 0)
#define TEXT16 (block ? text16_bytes((const uint16_t *)block) : 0)
static uint64_t text16_bytes(const uint16_t *text) {
  uint64_t bytes = sizeof *text;
  for (; *text; text++) bytes += sizeof *text;
  return bytes;
}

#define NEW(name, size)                               \
  NAME_HOOK hook_##name(WORDS) {                      \
    MH_ENDS_WHEN_THROWN;                              \
    bool entered = ENTER();                           \
    word block = CALL(name);                          \
    record(entered, (void *)block, size, MH_ENTRY()); \
    return block;                                     \
  }

#define STORE(name, size)                                \
  NAME_HOOK hook_##name(WORDS) {                         \
    bool entered = ENTER();                              \
    word result = CALL(name);                            \
    void *block = (int)result == 0 ? *(void **)a : NULL; \
    record(entered, block, size, MH_ENTRY());            \
    return result;                                       \
  }

#define RESIZE(name, old, size)                                           \
  NAME_HOOK hook_##name(WORDS) {                                          \
    MH_ENDS_WHEN_THROWN;                                                  \
    bool entered = ENTER();                                               \
    struct mh_taken taken = take((void *)old, entered);                   \
    word block = CALL(name);                                              \
    moved(entered, (void *)old, (void *)block, size, &taken, MH_ENTRY()); \
    return block;                                                         \
  }

#define FREE(name, block)                                    \
  NAME_HOOK hook_##name(WORDS) {                             \
    if (MH_UNLIKELY(mh_early_owns((void *)block))) return 0; \
    bool entered = ENTER();                                  \
    forget((void *)block, entered);                          \
    word result = CALL(name);                                \
    if (MH_LIKELY(entered)) mh_leave();                      \
    return result;                                           \
  }

MH_NAMES(NEW, STORE, RESIZE, FREE)

/* Resizes where the block is, to `b` bytes and up to `c` more, and returns the size that it has then. */
#define RESIZE_IN_PLACE(name)                                                                               \
  NAME_HOOK hook_##name(WORDS) {                                                                            \
    bool entered = ENTER();                                                                                 \
    struct mh_taken taken = take((void *)a, entered);                                                       \
    word size = CALL(name), most = b > UINTPTR_MAX - c ? UINTPTR_MAX : b + c;                               \
    moved(entered, (void *)a, size >= b ? (void *)a : NULL, size < most ? size : most, &taken, MH_ENTRY()); \
    return size;                                                                                            \
  }
RESIZE_IN_PLACE(xallocx)
RESIZE_IN_PLACE(je_xallocx)

/* Frees the old block when it fails. */
#define RESIZE_OR_FREE(name, old, size)                                               \
  NAME_HOOK hook_##name(WORDS) {                                                      \
    bool entered = ENTER();                                                           \
    struct mh_taken taken = take((void *)old, entered);                               \
    word block = CALL(name);                                                          \
    moved(entered, (void *)old, (void *)block, block ? size : 0, &taken, MH_ENTRY()); \
    return block;                                                                     \
  }
RESIZE_OR_FREE(mi_reallocf, a, b)
RESIZE_OR_FREE(mi_heap_reallocf, b, c)
RESIZE_OR_FREE(reallocf, a, b)

/* Stores the new block where the old one was. */
#define RESIZE_STORED(name)                                                                                           \
  NAME_HOOK hook_##name(WORDS) {                                                                                      \
    void **place = (void **)a, *old = place ? *place : NULL;                                                          \
    bool entered = ENTER();                                                                                           \
    struct mh_taken taken = take(old, entered);                                                                       \
    word result = CALL(name);                                                                                         \
    bool done = (int)result == 0;                                                                                     \
    moved(entered, old, done && place ? *place : NULL, done ? b * c : 1, &taken, MH_ENTRY());                         \
    return result;                                                                                                    \
  }
RESIZE_STORED(mi_reallocarr)
RESIZE_STORED(reallocarr)

/* Into a buffer of the caller's, or into a new block. */
#define REALPATH(name, buffer)                        \
  NAME_HOOK hook_##name(WORDS) {                      \
    if (buffer) return CALL(name);                    \
    bool entered = ENTER();                           \
    word block = CALL(name);                          \
    record(entered, (void *)block, TEXT, MH_ENTRY()); \
    return block;                                     \
  }
REALPATH(mi_realpath, b)
REALPATH(mi_heap_realpath, c)

static bool forget_one(const void *heap, const void *area, void *block, size_t size, void *entered) {
  (void)heap, (void)area, (void)size;
  forget(block, *(bool *)entered);
  return true;
}

/* Frees all blocks of a heap without a word. */
NAME_HOOK hook_mi_heap_destroy(WORDS) {
  bool (*visit)(word, bool, bool (*)(const void *, const void *, void *, size_t, void *), void *);
  *(void **)&visit = mh_redirects[INDEX_mi_heap_visit_blocks].real;
  bool entered = ENTER();
  if (a && visit) visit(a, true, forget_one, &entered);
  word result = CALL(mi_heap_destroy);
  if (entered) mh_leave();
  return result;
}

/* dlsym looks at its caller, so the hook jumps to it. */
NAME_HOOK hook_dlsym(WORDS) {
  mh_redirect_asked();
  __attribute__((musttail)) return CALL(dlsym);
}

struct mh_redirect mh_redirects[] = {
#define F(function, ...) {.name = #function, .hook = (void *)hook_##function},
#define ONLY_REAL(function) {.name = #function},
  MH_NAMES(F, F, F, F) MH_ODD_NAMES(F, ONLY_REAL)
#undef F
#undef ONLY_REAL
};
const unsigned mh_redirect_count = sizeof mh_redirects / sizeof *mh_redirects;
