/* Sections of a module's file, for what the program headers in memory do not say. */
#pragma once
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds a loaded section by its name, in the file with this header. The address is the file's, without the bias. */
bool mh_section_find(int fd, const ElfW(Ehdr) *header, const char *name, uintptr_t *address, size_t *bytes);
