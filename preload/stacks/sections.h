/* Sections of a module's file: for what the program headers in memory do not tell. */
#pragma once
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds a section that is loaded, by name, in the file that has this header. The address is the one in the file. */
bool mh_section_find(int fd, const ElfW(Ehdr) *header, const char *name, uintptr_t *address, size_t *bytes);
