/* The loader's modules; see loaded.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* dl_phdr_info */
#endif
#include "loaded.h"

#include <elf.h>
#include <stddef.h>

#include "real.h"
#include "../base/text.h"
#include "../base/self.h"

void mh_loaded_range(const struct mh_loaded *module, uintptr_t *start, uintptr_t *end) {
  const struct mh_mapped_image *image = &module->image;
  *start = UINTPTR_MAX;
  *end = 0;
  for (unsigned i = 0; i < image->count; i++) {
    const ElfW(Phdr) *segment = &image->segments[i];
    if (segment->p_type != PT_LOAD) continue;
    uintptr_t low = image->bias + segment->p_vaddr, high = low + segment->p_memsz;
    if (low < *start) *start = low;
    if (high > *end) *end = high;
  }
}

static const char *file_name(const struct dl_phdr_info *info) {
  const char *name = info->dlpi_name ? info->dlpi_name : "";
  for (const char *at = name; *at; at++)
    if (*at == '/') name = at + 1;
  return name;
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
  module.file = file_name(info);
  module.image = (struct mh_mapped_image){info->dlpi_addr, info->dlpi_phdr, info->dlpi_phnum};
  return mh_symbols_read(&module.image, &module.symbols) && !state->visit(&module, state->data);
}

/* With signals blocked: a handler that jumps out, or forks, would leave the loader's lock held. */
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
  if (bytes > offsetof(struct dl_phdr_info, dlpi_subs))
    *changes = (struct mh_changes){info->dlpi_adds, info->dlpi_subs};
  return 1;
}

struct mh_changes mh_loaded_changes(void) {
  struct mh_changes changes = {0};
  if (mh_real.dl_iterate_phdr) iterate(take_changes, &changes);
  return changes;
}

const ElfW(Sym) *mh_loaded_symbol(const struct mh_loaded *module, const char *name, uint32_t hash,
                                  const ElfW(Sym) *last) {
  do last = mh_symbols_find(&module->symbols, name, hash, last);
  while (last && ELF64_ST_TYPE(last->st_info) != STT_FUNC);
  return last;
}

void *mh_loaded_function(const struct mh_loaded *module, const char *name) {
  const ElfW(Sym) *symbol = mh_loaded_symbol(module, name, mh_symbols_hash(name), NULL);
  return symbol ? (void *)mh_loaded_address(module, symbol) : NULL;
}

uint32_t mh_loaded_needs(const struct mh_loaded *module, const char *file) {
  uint32_t place = 0;
  for (const ElfW(Dyn) *entry = mh_mapped_dynamic(&module->image); entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag != DT_NEEDED) continue;
    if (mh_equal(module->symbols.names + entry->d_un.d_val, file)) return place;
    place++;
  }
  return UINT32_MAX;
}
