/* Sections of a module's file: for what the program headers in memory do not tell. */
#pragma once
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds a section that is loaded, by name. `path`, `inode`, `header`: of the file as it is mapped; another file that has the path by now
 * is not looked into. The address is the one in the file. */
bool mh_section_find(const char *path, uint64_t inode, const ElfW(Ehdr) *header, const char *name, uintptr_t *address, size_t *bytes);
