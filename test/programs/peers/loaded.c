/* Libraries loaded and unloaded while blocks of theirs and for them live, names that are not there, and what dlerror
 * says. After valgrind's and glibc's tests of dlopen. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  const char *names[] = {"libm.so.6", "libresolv.so.2", "libutil.so.1", "libnone.so.9"};
  for (int round = 0; round < 3; round++)
    for (int at = 0; at < 4; at++) {
      void *library = dlopen(names[at], round == 1 ? RTLD_NOW | RTLD_GLOBAL : RTLD_LAZY);
      void *block = malloc((size_t)(100 + 10 * round + at));
      if (!library) {
        printf("%s\n", dlerror());
        continue;
      }
      double (*cosine)(double) = (double (*)(double))dlsym(library, "cos");
      if (cosine)
        printf("%.1f\n", cosine(0));
      else
        printf("%s: %s\n", names[at], dlerror() ? "no cos" : "no error");
      if (round < 2) dlclose(library);
      if (at == 1) free(block);
    }
  printf("%s\n", dlerror() ? "an error" : "no error");
  return 0;
}
