/* The modules that the loader has loaded, and their symbols, read from the symbol tables in memory.
 *
 * dlsym would find symbols, too. But it takes a lock that is held while constructors run, and a constructor may wait
 * for this thread. It also overwrites dlerror's message. The lock of dl_iterate_phdr is only held while the list
 * changes.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "../base/symbols.h"

/* A loaded module that exports symbols. Valid while it cannot be unloaded: for a visitor of mh_loaded_each. */
struct mh_loaded {
  uint32_t index; /* in the loader's order */
  const char *file; /* its name without the folder */
  struct mh_mapped_image image;
  struct mh_symbols symbols;
};

/* Calls `visit` for each module of the program's namespace, in the loader's order, until it returns false. False: the
 * loader's function is not known yet. */
bool mh_loaded_each(bool (*visit)(const struct mh_loaded *module, void *data), void *data);

/* The same from the module with this number on. Returns the number of modules up to the last visited one. */
uint32_t mh_loaded_from(uint32_t first, bool (*visit)(const struct mh_loaded *module, void *data), void *data);

/* How many modules were loaded so far, and unloaded. */
struct mh_changes {
  uint64_t loads, unloads;
};
struct mh_changes mh_loaded_changes(void);

/* The function of this name that the module exports, or NULL. */
void *mh_loaded_function(const struct mh_loaded *module, const char *name);

/* Its symbol, as mh_symbols_find says it. */
const ElfW(Sym) *mh_loaded_symbol(const struct mh_loaded *module, const char *name, uint32_t hash,
                                  const ElfW(Sym) *last);

static inline uintptr_t mh_loaded_address(const struct mh_loaded *module, const ElfW(Sym) *symbol) {
  return module->image.bias + symbol->st_value;
}

/* Whether an address lies in the module. */
static inline bool mh_loaded_holds(const struct mh_loaded *module, uintptr_t address) {
  return mh_mapped_holds(&module->image, address);
}

/* The addresses that it spans. */
void mh_loaded_range(const struct mh_loaded *module, uintptr_t *start, uintptr_t *end);

/* The place of a library's file name among those that the module is linked with, UINT32_MAX if it is none of them. */
uint32_t mh_loaded_needs(const struct mh_loaded *module, const char *file);
