/* Preloaded behind memhook: loads the libraries that SAID_LOAD names, one a line, and
 * writes into the file SAID_TO what the loader says of each module: "BIAS START END PATH",
 * in hexadecimal, the path empty for the program; "! MESSAGE" for what cannot be loaded.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <link.h>

#include "program.h"

static void *volatile block;

static int say_module(struct dl_phdr_info *info, size_t size, void *file) {
  (void)size;
  uintptr_t low = UINTPTR_MAX, high = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD) continue;
    if (segment->p_vaddr < low) low = segment->p_vaddr;
    if (segment->p_vaddr + segment->p_memsz > high) high = segment->p_vaddr + segment->p_memsz;
  }
  uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), bias = info->dlpi_addr;
  fprintf(file, "%lx %lx %lx %s\n", (long)bias, (long)((bias + low) & ~(page - 1)), (long)(bias + high),
      info->dlpi_name);
  return 0;
}

__attribute__((constructor)) NOINLINE static void say_modules(void) {
  const char *to = getenv("SAID_TO"), *load = getenv("SAID_LOAD");
  FILE *file = to ? fopen(to, "w") : NULL;
  if (!file) return;
  unsetenv("SAID_TO");
  char *paths = strdup(load ? load : "");
  for (char *path = strtok(paths, "\n"); path; path = strtok(NULL, "\n"))
    if (!dlopen(path, RTLD_LAZY | RTLD_LOCAL)) fprintf(file, "! %s\n", dlerror());
  free(paths);
  /* memhook looks at what is new when it next takes a stack. */
  block = malloc(12345);
  dl_iterate_phdr(say_module, file);
  fclose(file);
}
