/* Images that certainly stay in memory, and their symbols: modules while the loader keeps them, the program, and the
 * vDSO. image.c reads images that may be unmapped at any moment, or that are only in a file. */
#pragma once
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
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

/* The first segment of this type (PT_*); and the loaded segment that an address lies in. NULL if there is none. */
const ElfW(Phdr) *mh_mapped_segment(const struct mh_mapped_image *image, uint32_t type);
const ElfW(Phdr) *mh_mapped_segment_at(const struct mh_mapped_image *image, uintptr_t address);

/* Whether an address lies in the image. */
static inline bool mh_mapped_holds(const struct mh_mapped_image *image, uintptr_t address) {
  return mh_mapped_segment_at(image, address) != NULL;
}

/* The address that an entry of the dynamic section means. Some loaders relocate these entries, others do not. NULL:
 * neither address lies in the image. */
const void *mh_mapped_at(const struct mh_mapped_image *image, uintptr_t address);

/* Its dynamic section, NULL if it has none. */
const ElfW(Dyn) *mh_mapped_dynamic(const struct mh_mapped_image *image);

/* False: it exports no symbols. */
bool mh_symbols_read(const struct mh_mapped_image *image, struct mh_symbols *symbols);

/* The exported symbol of this name, NULL if there is none. There may be one for each version: `last` is the one before,
 * or NULL. `hash` is mh_symbols_hash of the name. */
const ElfW(Sym) *mh_symbols_find(const struct mh_symbols *symbols, const char *name, uint32_t hash,
                                 const ElfW(Sym) *last);
uint32_t mh_symbols_hash(const char *name);
