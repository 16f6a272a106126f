/* Modules: which file is mapped where, now and in the past.
 *
 * Our own table, so that nothing of the loader is locked while stacks are taken. It is read without
 * locks; it is refreshed after dlopen and dlclose, and when a program counter is in no known module.
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

/* Advances before every dlopen and after every dlclose. What is cached about a PC is valid for one generation. */
extern uint32_t mh_generation;

/* Advances it, and calls who wants to know: the unwinder, once it has started. */
void mh_modules_advance(void);
extern void (*mh_modules_advanced)(void);

void mh_modules_start(void);

/* Module that contains `pc` now, or NULL (generated code, nothing mapped). Refreshes the table at most once for an
 * unknown pc. The entry is never freed; its frame information is mapped as long as `loaded`. */
const struct mh_module *mh_module_at(uintptr_t pc);

/* Whether the table says what is at `pc`: a module, or code that is in none. False: perhaps a module not seen yet. */
bool mh_module_known(uintptr_t pc);

/* Rereads which modules are loaded. Called without any lock of ours held. */
void mh_modules_refresh(void);

/* In a child of fork that goes on with its parent's modules, before it has forgotten the store. */
void mh_modules_clone(void);

/* In a child of fork, which has a store of its own: forgets everything. */
void mh_modules_reset(void);
