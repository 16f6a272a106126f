/* Whether another malloc comes ahead of memhook's; see ahead.h.
 *
 * In a program that is not position independent, the loader may find an entry of the program's PLT where it only takes the function's address: then
 * the program has a symbol with a value, but none that is defined. Which of the two it is stands in the program's own symbol table.
 */
#include "ahead.h"

#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/auxv.h>

#include "hook.h"
#include "modules.h"
#include "text.h"

void *mh_own_malloc(size_t size);

struct symbols {
  const ElfW(Sym) *table;
  const char *names;
  const uint32_t *hash; /* DT_GNU_HASH */
};

/* musl leaves the addresses in the dynamic section as they are in the file, glibc adds the bias. */
static const void *address(uintptr_t bias, uintptr_t value) {
  return (const void *)(value < bias ? value + bias : value);
}

static bool find_symbols(struct symbols *symbols) {
  const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
  unsigned long count = getauxval(AT_PHNUM);
  const ElfW(Phdr) *own = NULL, *dynamic = NULL;
  for (unsigned long i = 0; headers && i < count; i++) {
    if (headers[i].p_type == PT_PHDR) own = &headers[i];
    if (headers[i].p_type == PT_DYNAMIC) dynamic = &headers[i];
  }
  if (!own || !dynamic) return false;
  uintptr_t bias = (uintptr_t)headers - own->p_vaddr;
  for (const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(bias + dynamic->p_vaddr); entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_SYMTAB) symbols->table = address(bias, entry->d_un.d_ptr);
    if (entry->d_tag == DT_STRTAB) symbols->names = address(bias, entry->d_un.d_ptr);
    if (entry->d_tag == DT_GNU_HASH) symbols->hash = address(bias, entry->d_un.d_ptr);
  }
  return symbols->table && symbols->names && symbols->hash;
}

/* Whether the program names the symbol without defining it. A table in the old form alone is taken for one that defines it. */
static bool program_only_refers(const char *name) {
  struct symbols symbols = {0};
  if (!find_symbols(&symbols)) return false;
  uint32_t buckets = symbols.hash[0], first = symbols.hash[1], bloom_words = symbols.hash[2];
  const uint32_t *bucket = symbols.hash + 4 + bloom_words * (sizeof(ElfW(Addr)) / 4), *chain = bucket + buckets;
  uint32_t hash = 5381;
  for (const char *at = name; *at; at++) hash = hash * 33 + (uint8_t)*at;
  uint32_t index = buckets ? bucket[hash % buckets] : 0;
  if (index < first) return true;
  do {
    if ((chain[index - first] ^ hash) >> 1 == 0 && mh_equal(symbols.names + symbols.table[index].st_name, name))
      return symbols.table[index].st_shndx == SHN_UNDEF;
  } while (!(chain[index++ - first] & 1));
  return true;
}

static bool is_in_program(uintptr_t pc) {
  const struct mh_module *module = mh_module_at(pc), *program = mh_module_at((uintptr_t)getauxval(AT_ENTRY));
  return module && module == program;
}

static bool is_behind;

void mh_ahead_look(const void *first) {
  is_behind = first && first != (const void *)mh_own_malloc && !(is_in_program((uintptr_t)first) && program_only_refers("malloc"));
}

void mh_ahead_note(void) {
  if (is_behind) __atomic_fetch_or(&mh_header()->flags, MH_FLAG_BYPASSED, __ATOMIC_RELAXED);
}

void mh_ahead_passes(void) {
  is_behind = false;
  __atomic_fetch_and(&mh_header()->flags, ~(uint32_t)MH_FLAG_BYPASSED, __ATOMIC_RELAXED);
}
