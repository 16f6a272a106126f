/* Images in memory, and their symbols; see symbols.h. */
#include "symbols.h"

#include <elf.h>

#include "text.h"

const ElfW(Phdr) *mh_mapped_segment(const struct mh_mapped_image *image, uint32_t type) {
  for (unsigned i = 0; i < image->count; i++)
    if (image->segments[i].p_type == type) return &image->segments[i];
  return NULL;
}

const ElfW(Phdr) *mh_mapped_segment_at(const struct mh_mapped_image *image, uintptr_t address) {
  for (unsigned i = 0; i < image->count; i++) {
    const ElfW(Phdr) *segment = &image->segments[i];
    if (segment->p_type == PT_LOAD && address - image->bias - segment->p_vaddr < segment->p_memsz) return segment;
  }
  return NULL;
}

const void *mh_mapped_at(const struct mh_mapped_image *image, uintptr_t address) {
  if (mh_mapped_holds(image, address)) return (const void *)address;
  address += image->bias;
  return mh_mapped_holds(image, address) ? (const void *)address : NULL;
}

const ElfW(Dyn) *mh_mapped_dynamic(const struct mh_mapped_image *image) {
  const ElfW(Phdr) *dynamic = mh_mapped_segment(image, PT_DYNAMIC);
  return dynamic ? (const ElfW(Dyn) *)(image->bias + dynamic->p_vaddr) : NULL;
}

bool mh_symbols_read(const struct mh_mapped_image *image, struct mh_symbols *symbols) {
  const ElfW(Dyn) *entry = mh_mapped_dynamic(image);
  *symbols = (struct mh_symbols){0};
  for (; entry && entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_SYMTAB) symbols->table = mh_mapped_at(image, entry->d_un.d_ptr);
    if (entry->d_tag == DT_STRTAB) symbols->names = mh_mapped_at(image, entry->d_un.d_ptr);
    if (entry->d_tag == DT_GNU_HASH) symbols->gnu_hash = mh_mapped_at(image, entry->d_un.d_ptr);
    if (entry->d_tag == DT_HASH) symbols->hash = mh_mapped_at(image, entry->d_un.d_ptr);
  }
  return symbols->table && symbols->names && (symbols->gnu_hash || symbols->hash);
}

static bool defines(const struct mh_symbols *symbols, uint32_t index, const char *name) {
  const ElfW(Sym) *symbol = &symbols->table[index];
  return symbol->st_shndx != SHN_UNDEF && ELF64_ST_BIND(symbol->st_info) != STB_LOCAL &&
         mh_equal(symbols->names + symbol->st_name, name);
}

uint32_t mh_symbols_hash(const char *name) {
  uint32_t hash = 5381;
  for (const char *at = name; *at; at++) hash = hash * 33 + (uint8_t)*at;
  return hash;
}

/* buckets, first symbol, words of the filter, its shift; the filter; for each bucket its first symbol; for each
 * symbol its hash, odd at a bucket's end */
static uint32_t find_by_gnu_hash(const struct mh_symbols *symbols, const char *name, uint32_t hash, uint32_t last) {
  const uint32_t *table = symbols->gnu_hash, count = table[0], first = table[1], words = table[2];
  const size_t *filter = (const size_t *)(table + 4);
  const uint32_t *buckets = (const uint32_t *)(filter + words), *hashes = buckets + count;
  const unsigned bits = 8 * sizeof *filter;
  if (!count || !words) return 0;
  size_t wanted = (size_t)1 << hash % bits | (size_t)1 << (hash >> table[3]) % bits;
  if ((filter[hash / bits % words] & wanted) != wanted) return 0;
  uint32_t index = buckets[hash % count];
  if (index < first) return 0;
  for (;; index++) {
    uint32_t other = hashes[index - first];
    if (index > last && (other | 1) == (hash | 1) && defines(symbols, index, name)) return index;
    if (other & 1) return 0;
  }
}

/* buckets, symbols; for each bucket its first symbol; for each symbol the next */
static uint32_t find_by_hash(const struct mh_symbols *symbols, const char *name, uint32_t last) {
  uint32_t hash = 0;
  for (const char *at = name; *at; at++) {
    hash = (hash << 4) + (uint8_t)*at;
    hash = (hash ^ (hash & 0xf0000000) >> 24) & 0x0fffffff;
  }
  const uint32_t *table = symbols->hash, count = table[0];
  if (!count) return 0;
  uint32_t index = last ? table[2 + count + last] : table[2 + hash % count];
  while (index && !defines(symbols, index, name)) index = table[2 + count + index];
  return index;
}

const ElfW(Sym) *mh_symbols_find(const struct mh_symbols *symbols, const char *name, uint32_t hash,
                                 const ElfW(Sym) *last) {
  uint32_t before = last ? (uint32_t)(last - symbols->table) : 0;
  uint32_t index =
      symbols->gnu_hash ? find_by_gnu_hash(symbols, name, hash, before) : find_by_hash(symbols, name, before);
  return index ? &symbols->table[index] : NULL;
}
