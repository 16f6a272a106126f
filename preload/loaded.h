/* What the loader has loaded, and what that defines: read from the symbol tables in memory.
 *
 * dlsym would say it, too, but takes the lock that a thread holds while constructors run, which may wait for this
 * one; and it overwrites what dlerror has to tell. The lock of dl_iterate_phdr is held while the list changes, and no
 * longer.
 */
#pragma once
#include <link.h>
#include <stdbool.h>
#include <stdint.h>

struct dl_phdr_info;

/* A loaded module's dynamic section, and what it leads to. Valid while the module cannot be unloaded: for a
 * visitor of mh_loaded_each. */
struct mh_loaded {
  const struct dl_phdr_info *info;
  uint32_t index; /* in the loader's order */
  const ElfW(Dyn) *dynamic;
  const ElfW(Sym) *symbols;
  const char *strings, *file; /* file: its name without the folder */
  const uint32_t *gnu_hash, *hash;
};

/* Calls `visit` for each module of the program's namespace, in the loader's order, until it returns false. False:
 * that cannot be asked yet. */
bool mh_loaded_each(bool (*visit)(const struct mh_loaded *module, void *data), void *data);

/* The same from the module with this number on; returns how many there were, the last one that was visited included. */
uint32_t mh_loaded_from(uint32_t first, bool (*visit)(const struct mh_loaded *module, void *data), void *data);

/* How many modules were loaded so far, and unloaded. */
struct mh_changes {
  uint64_t loads, unloads;
};
struct mh_changes mh_loaded_changes(void);

/* The function of this name that the module defines for others, or NULL. */
void *mh_loaded_function(const struct mh_loaded *module, const char *name);

/* Its symbol. There may be one for each of its versions: `last` is the one before, or NULL. `hash`: mh_loaded_hash of
 * the name. */
const ElfW(Sym) *mh_loaded_symbol(const struct mh_loaded *module, const char *name, uint32_t hash, const ElfW(Sym) *last);
uint32_t mh_loaded_hash(const char *name);

uintptr_t mh_loaded_address(const struct mh_loaded *module, const ElfW(Sym) *symbol);

/* Whether an address lies in the module. */
bool mh_loaded_holds(const struct mh_loaded *module, uintptr_t address);

/* What an entry of the dynamic section leads to. Some loaders put the address there, others leave the file's. NULL:
 * neither lies in the module. */
const void *mh_loaded_mapped(const struct mh_loaded *module, uintptr_t address);

/* The addresses that it spans. */
void mh_loaded_range(const struct mh_loaded *module, uintptr_t *start, uintptr_t *end);

/* The place of a library's file name among those that the module is linked with, UINT32_MAX if it is none of them. */
uint32_t mh_loaded_needs(const struct mh_loaded *module, const char *file);
