// Loaded before everything else: loads the libraries that LOADED_WHAT names, one a line, and writes what the dynamic
// loader says of each module into the file LOADED_TO, one a line: "BIAS START END PATH". A library that cannot be
// loaded is "! WHY". With -DLAST it is the last of these: it allocates, and memhook looks at what is mapped, since it
// has never seen the caller.
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef LAST

static void *volatile block;
__attribute__((constructor)) static void allocate(void) { block = malloc(12345); }

#else

static int say(struct dl_phdr_info *info, size_t size, void *file) {
  (void)size;
  ElfW(Addr) low = ~(ElfW(Addr))0, high = 0;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD) continue;
    if (segment->p_vaddr < low) low = segment->p_vaddr;
    if (segment->p_vaddr + segment->p_memsz > high) high = segment->p_vaddr + segment->p_memsz;
  }
  fprintf(file, "%lx %lx %lx %s\n", (long)info->dlpi_addr, (long)(info->dlpi_addr + low) & -4096,
          (long)(info->dlpi_addr + high), info->dlpi_name);
  return 0;
}

__attribute__((constructor)) static void load(void) {
  const char *what = getenv("LOADED_WHAT"), *to = getenv("LOADED_TO");
  FILE *file = to == NULL ? NULL : fopen(to, "w");
  if (file == NULL) return;
  // What the program starts has nothing to write.
  unsetenv("LOADED_TO");
  char *names = strdup(what == NULL ? "" : what);
  for (char *name = strtok(names, "\n"); name != NULL; name = strtok(NULL, "\n"))
    if (dlopen(name, RTLD_LAZY | RTLD_LOCAL) == NULL) fprintf(file, "! %s\n", dlerror());
  free(names);
  dl_iterate_phdr(say, file);
  fclose(file);
}
#endif
