/* What the loader has loaded; see loaded.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* dl_phdr_info */
#endif
#include "loaded.h"

#include <elf.h>
#include <stddef.h>

#include "real.h"
#include "text.h"
#include "thread.h"

bool mh_loaded_holds(const struct mh_loaded *module, uintptr_t address) {
  const struct dl_phdr_info *info = module->info;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type == PT_LOAD && address - info->dlpi_addr - segment->p_vaddr < segment->p_memsz) return true;
  }
  return false;
}

void mh_loaded_range(const struct mh_loaded *module, uintptr_t *start, uintptr_t *end) {
  const struct dl_phdr_info *info = module->info;
  *start = UINTPTR_MAX;
  *end = 0;
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD) continue;
    uintptr_t low = info->dlpi_addr + segment->p_vaddr, high = low + segment->p_memsz;
    if (low < *start) *start = low;
    if (high > *end) *end = high;
  }
}

const void *mh_loaded_mapped(const struct mh_loaded *module, uintptr_t address) {
  if (mh_loaded_holds(module, address)) return (const void *)address;
  address += module->info->dlpi_addr;
  return mh_loaded_holds(module, address) ? (const void *)address : NULL;
}

static const char *file_name(const struct dl_phdr_info *info) {
  const char *name = info->dlpi_name ? info->dlpi_name : "";
  for (const char *at = name; *at; at++)
    if (*at == '/') name = at + 1;
  return name;
}

/* False: it has no symbols for others. */
static bool read_module(const struct dl_phdr_info *info, struct mh_loaded *module) {
  module->info = info;
  module->file = file_name(info);
  for (unsigned i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type == PT_DYNAMIC) module->dynamic = (const void *)(info->dlpi_addr + segment->p_vaddr);
  }
  if (!module->dynamic) return false;
  for (const ElfW(Dyn) *entry = module->dynamic; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_SYMTAB) module->symbols = mh_loaded_mapped(module, entry->d_un.d_ptr);
    if (entry->d_tag == DT_STRTAB) module->strings = mh_loaded_mapped(module, entry->d_un.d_ptr);
    if (entry->d_tag == DT_GNU_HASH) module->gnu_hash = mh_loaded_mapped(module, entry->d_un.d_ptr);
    if (entry->d_tag == DT_HASH) module->hash = mh_loaded_mapped(module, entry->d_un.d_ptr);
  }
  return module->symbols && module->strings && (module->gnu_hash || module->hash);
}

struct each {
  bool (*visit)(const struct mh_loaded *, void *);
  void *data;
  uint32_t first, index;
};

static int each(struct dl_phdr_info *info, size_t bytes, void *data) {
  (void)bytes;
  struct each *state = data;
  struct mh_loaded module = {.index = state->index++};
  if (module.index < state->first) return 0;
  return read_module(info, &module) && !state->visit(&module, state->data);
}

/* A signal handler that jumps out, or forks, would leave the loader's lock held. */
static void iterate(int (*visit)(struct dl_phdr_info *, size_t, void *), void *data) {
  uintptr_t guard = mh_guard_raise();
  uint64_t signals = mh_signals_hold();
  mh_real.dl_iterate_phdr(visit, data);
  mh_signals_release(signals);
  mh_guard_lower(guard);
}

uint32_t mh_loaded_from(uint32_t first, bool (*visit)(const struct mh_loaded *module, void *data), void *data) {
  if (!mh_real.dl_iterate_phdr) return 0;
  struct each state = {.visit = visit, .data = data, .first = first};
  iterate(each, &state);
  return state.index;
}

bool mh_loaded_each(bool (*visit)(const struct mh_loaded *module, void *data), void *data) {
  return mh_loaded_from(0, visit, data) != 0;
}

static int take_changes(struct dl_phdr_info *info, size_t bytes, void *data) {
  struct mh_changes *changes = data;
  if (bytes > offsetof(struct dl_phdr_info, dlpi_subs)) *changes = (struct mh_changes){info->dlpi_adds, info->dlpi_subs};
  return 1;
}

struct mh_changes mh_loaded_changes(void) {
  struct mh_changes changes = {0};
  if (mh_real.dl_iterate_phdr) iterate(take_changes, &changes);
  return changes;
}

static bool defines(const struct mh_loaded *module, uint32_t index, const char *name) {
  const ElfW(Sym) *symbol = &module->symbols[index];
  unsigned type = ELF64_ST_TYPE(symbol->st_info), binding = ELF64_ST_BIND(symbol->st_info);
  if (symbol->st_shndx == SHN_UNDEF || type != STT_FUNC || binding == STB_LOCAL) return false;
  return mh_equal(module->strings + symbol->st_name, name);
}

uint32_t mh_loaded_hash(const char *name) {
  uint32_t hash = 5381;
  for (const char *at = name; *at; at++) hash = hash * 33 + (uint8_t)*at;
  return hash;
}

/* buckets, first symbol, words of the filter, its shift; the filter; for each bucket its first symbol; for each
 * symbol its hash, odd at a bucket's end */
static uint32_t find_by_gnu_hash(const struct mh_loaded *module, const char *name, uint32_t hash, uint32_t last) {
  const uint32_t *table = module->gnu_hash, count = table[0], first = table[1], words = table[2];
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
    if (index > last && (other | 1) == (hash | 1) && defines(module, index, name)) return index;
    if (other & 1) return 0;
  }
}

/* buckets, symbols; for each bucket its first symbol; for each symbol the next */
static uint32_t find_by_hash(const struct mh_loaded *module, const char *name, uint32_t last) {
  uint32_t hash = 0;
  for (const char *at = name; *at; at++) {
    hash = (hash << 4) + (uint8_t)*at;
    hash = (hash ^ (hash & 0xf0000000) >> 24) & 0x0fffffff;
  }
  const uint32_t *table = module->hash, count = table[0];
  if (!count) return 0;
  uint32_t index = last ? table[2 + count + last] : table[2 + hash % count];
  while (index && !defines(module, index, name)) index = table[2 + count + index];
  return index;
}

const ElfW(Sym) *mh_loaded_symbol(const struct mh_loaded *module, const char *name, uint32_t hash, const ElfW(Sym) *last) {
  uint32_t before = last ? (uint32_t)(last - module->symbols) : 0;
  uint32_t index = module->gnu_hash ? find_by_gnu_hash(module, name, hash, before) : find_by_hash(module, name, before);
  return index ? &module->symbols[index] : NULL;
}

uintptr_t mh_loaded_address(const struct mh_loaded *module, const ElfW(Sym) *symbol) {
  return module->info->dlpi_addr + symbol->st_value;
}

void *mh_loaded_function(const struct mh_loaded *module, const char *name) {
  const ElfW(Sym) *symbol = mh_loaded_symbol(module, name, mh_loaded_hash(name), NULL);
  return symbol ? (void *)mh_loaded_address(module, symbol) : NULL;
}

uint32_t mh_loaded_needs(const struct mh_loaded *module, const char *file) {
  uint32_t place = 0;
  for (const ElfW(Dyn) *entry = module->dynamic; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag != DT_NEEDED) continue;
    if (mh_equal(module->strings + entry->d_un.d_val, file)) return place;
    place++;
  }
  return UINT32_MAX;
}
