/* Images in memory that are sure to stay there, and their symbols: of modules while the loader keeps them, of the
 * program, and of the vDSO. What may be unmapped any moment, or is in a file alone, is image.c's. */
#pragma once
#include <link.h>
#include <stdbool.h>
#include <stdint.h>

struct mh_mapped_image {
  uintptr_t bias; /* added by the loader to the addresses in the file */
  const ElfW(Phdr) *segments;
  unsigned count;
};

struct mh_symbols {
  const ElfW(Sym) *table;
  const char *names;
  const uint32_t *gnu_hash, *hash;
};

/* Whether an address lies in the image. */
bool mh_mapped_holds(const struct mh_mapped_image *image, uintptr_t address);

/* What an entry of the dynamic section leads to. Some loaders put the address there, others leave the file's. NULL:
 * neither lies in the image. */
const void *mh_mapped_at(const struct mh_mapped_image *image, uintptr_t address);

/* Its dynamic section, NULL if it has none. */
const ElfW(Dyn) *mh_mapped_dynamic(const struct mh_mapped_image *image);

/* False: it has no symbols for others. */
bool mh_symbols_read(const struct mh_mapped_image *image, struct mh_symbols *symbols);

/* The symbol of this name that is defined for others, NULL if there is none. There may be one for each of its versions:
 * `last` is the one before, or NULL. `hash`: mh_symbols_hash of the name. */
const ElfW(Sym) *mh_symbols_find(const struct mh_symbols *symbols, const char *name, uint32_t hash,
                                 const ElfW(Sym) *last);
uint32_t mh_symbols_hash(const char *name);
