/* Modules: which file is mapped where, now and in the past.
 *
 * This is memhook's own table, so that no lock of the loader is taken while stacks are captured. It is read without
 * locks. It is refreshed after dlopen and dlclose, and when a program counter is in no known module.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"

struct mh_module {
  uintptr_t bias;         /* added by the loader to the addresses in the file */
  uintptr_t start, end;   /* lowest mapped address, end of the highest segment */
  uintptr_t text_start, text_end; /* executable segments, lowest address and end */
  struct mh_frame_tables tables;  /* mapped while it is loaded */
  ElfW(Ehdr) header;              /* as it was at `start` when it was seen first */
  uint64_t layout;                /* as in the image */
  uint32_t id;            /* index in the store's modules array, 0 while not published */
  uint32_t generation;    /* value of mh_generation when it was seen first */
  bool loaded;            /* false once it was unloaded; the entry itself stays */
};

/* Advances before every dlopen and after every dlclose. What is cached for a program counter is valid for one
 * generation. */
extern uint32_t mh_generation;

/* Advances it, and calls mh_modules_advanced, which the unwinder sets when it starts. */
void mh_modules_advance(void);
extern void (*mh_modules_advanced)(void);

void mh_modules_start(void);

/* Module that contains `pc` now, or NULL (generated code, nothing mapped). Refreshes the table at most once for an
 * unknown pc. The entry is never freed; its frame information is mapped as long as `loaded`. */
const struct mh_module *mh_module_at(uintptr_t pc);

/* Whether the table covers `pc`: it is in a module, or in code of no module. False: it may be in a module not seen
 * yet. */
bool mh_module_known(uintptr_t pc);

/* Reads again which modules are loaded. The caller holds no lock of memhook's. */
void mh_modules_refresh(void);

/* In a child of fork that continues its parent's modules, before it has forgotten the store. */
void mh_modules_clone(void);

/* In a child of fork that starts with an empty store: forgets everything. */
void mh_modules_reset(void);
