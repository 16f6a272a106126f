/* The entry: where the program called a hook from. The captured stack begins there.
 *
 *     caller's frame        ◀── entry.sp: the stack pointer once the hook has returned
 *     ┌──────────────────┐      entry.pc: the return address, i.e. the innermost frame of the stack
 *     │ return address   │      entry.fp: the caller's frame pointer register
 *     │ saved frame ptr  │ ◀── __builtin_frame_address(0) in the hook
 *     └──────────────────┘
 */
#pragma once
#include <stdint.h>

struct mh_entry {
  uintptr_t pc;
  uintptr_t sp;
  uintptr_t fp;
};

/* The entry of the enclosing function, which must keep its frame pointer and must not be inlined. */
#if defined(__x86_64__) || defined(__i386__)
#define MH_ENTRY()                                                                            \
  ((struct mh_entry){                                                                         \
      .pc = (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0)),            \
      .sp = (uintptr_t)__builtin_frame_address(0) + 2 * sizeof(void *),                       \
      .fp = *(uintptr_t *)__builtin_frame_address(0),                                         \
  })
#elif defined(__aarch64__)
/* On aarch64 the frame record may be anywhere in the frame. The hook's frame information says how far below its end. */
uintptr_t mh_entry_gap(void);
#define MH_ENTRY()                                                                            \
  ({                                                                                          \
    static uintptr_t gap_;                                                                    \
    uintptr_t known_ = __atomic_load_n(&gap_, __ATOMIC_RELAXED);                              \
    if (!known_) __atomic_store_n(&gap_, known_ = mh_entry_gap(), __ATOMIC_RELAXED);          \
    (struct mh_entry){                                                                        \
        .pc = (uintptr_t)__builtin_extract_return_addr(__builtin_return_address(0)),          \
        .sp = (uintptr_t)__builtin_frame_address(0) + known_,                                 \
        .fp = *(uintptr_t *)__builtin_frame_address(0),                                       \
    };                                                                                        \
  })
#else
#error "no stack capture for this architecture"
#endif
