/* Stack capture with LLVM's libunwind: the reference, and the fallback for what the fast unwinder cannot express. */
#pragma once
#include <stdint.h>

#include "entry.h"

struct mh_thread;

uint32_t mh_capture_libunwind(struct mh_thread *thread, const struct mh_entry *entry);
