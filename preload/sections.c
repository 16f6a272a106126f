/* Sections of a module's file; see sections.h. */
#include "sections.h"

#include <elf.h>

#include "sys.h"
#include "text.h"

#define SECTIONS_MAX 1024
#define NAME_BYTES 32

static bool read_at(int fd, uint64_t offset, void *into, size_t bytes) {
  return mh_pread(fd, into, bytes, offset) == (long)bytes;
}

static bool same_file(int fd, uint64_t inode, const ElfW(Ehdr) *header) {
  struct stat status;
  ElfW(Ehdr) now;
  return mh_fstat(fd, &status) == 0 && status.st_ino == inode && read_at(fd, 0, &now, sizeof(now)) &&
         __builtin_memcmp(&now, header, sizeof(now)) == 0;
}

static bool search(int fd, const ElfW(Ehdr) *header, const char *name, ElfW(Shdr) *found) {
  ElfW(Shdr) names;
  size_t name_bytes = mh_length(name) + 1;
  if (header->e_shentsize != sizeof(names) || header->e_shnum > SECTIONS_MAX || name_bytes > NAME_BYTES ||
      !read_at(fd, header->e_shoff + header->e_shstrndx * sizeof(names), &names, sizeof(names)))
    return false;
  for (unsigned i = 0; i < header->e_shnum; i++) {
    char its_name[NAME_BYTES];
    if (read_at(fd, header->e_shoff + i * sizeof(*found), found, sizeof(*found)) && found->sh_flags & SHF_ALLOC &&
        found->sh_type != SHT_NOBITS && read_at(fd, names.sh_offset + found->sh_name, its_name, name_bytes) &&
        __builtin_memcmp(its_name, name, name_bytes) == 0)
      return true;
  }
  return false;
}

bool mh_section_find(const char *path, uint64_t inode, const ElfW(Ehdr) *header, const char *name, uintptr_t *address, size_t *bytes) {
  ElfW(Shdr) found;
  /* Should the path be that of a pipe by now, opening it must not wait. */
  int fd = mh_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
  if (fd < 0) return false;
  bool is_there = same_file(fd, inode, header) && search(fd, header, name, &found);
  mh_close(fd);
  if (!is_there) return false;
  *address = found.sh_addr;
  *bytes = found.sh_size;
  return true;
}
