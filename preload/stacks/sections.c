/* Sections of a module's file; see sections.h. */
#include "sections.h"

#include <elf.h>

#include "../base/sys.h"
#include "../base/text.h"

#define SECTIONS_MAX 1024
#define NAME_BYTES 32

static bool read_at(int fd, uint64_t offset, void *into, size_t bytes) {
  return mh_pread(fd, into, bytes, offset) == (long)bytes;
}

bool mh_section_find(int fd, const ElfW(Ehdr) *header, const char *name, uintptr_t *address, size_t *bytes) {
  ElfW(Shdr) names, found;
  size_t name_bytes = mh_length(name) + 1;
  if (header->e_shentsize != sizeof(names) || header->e_shnum > SECTIONS_MAX || name_bytes > NAME_BYTES ||
      !read_at(fd, header->e_shoff + header->e_shstrndx * sizeof(names), &names, sizeof(names)))
    return false;
  for (unsigned i = 0; i < header->e_shnum; i++) {
    char its_name[NAME_BYTES];
    if (!read_at(fd, header->e_shoff + i * sizeof(found), &found, sizeof(found)) || !(found.sh_flags & SHF_ALLOC) ||
        found.sh_type == SHT_NOBITS || !read_at(fd, names.sh_offset + found.sh_name, its_name, name_bytes) ||
        __builtin_memcmp(its_name, name, name_bytes) != 0)
      continue;
    *address = found.sh_addr;
    *bytes = found.sh_size;
    return true;
  }
  return false;
}
