/* Opens and closes a plugin again and again (its path is the argument), while another thread asks dlsym, where memhook
 * looks at what is loaded. The plugin (-DPLUGIN) comes with an allocator of its own (-DALLOCATOR), whose second names
 * memhook takes over, and with many references that the loader binds meanwhile, in memory that it then makes read-only.
 * It must run to its end.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>

#include "program.h"

#define EXPORTED __attribute__((visibility("default")))
#define TEN(F, n) F(n##0) F(n##1) F(n##2) F(n##3) F(n##4) F(n##5) F(n##6) F(n##7) F(n##8) F(n##9)
#define HUNDRED(F, n)                                                                                               \
  TEN(F, n##0) TEN(F, n##1) TEN(F, n##2) TEN(F, n##3) TEN(F, n##4) TEN(F, n##5) TEN(F, n##6) TEN(F, n##7) TEN(F, n##8) \
  TEN(F, n##9)
#define ALL(F) HUNDRED(F, 1) HUNDRED(F, 2) HUNDRED(F, 3) HUNDRED(F, 4)

#define DECLARE(n) EXPORTED long function_with_a_rather_long_name_##n(void);
ALL(DECLARE)
EXPORTED void *mallocx(size_t size, int flags);
EXPORTED void dallocx(void *block, int flags);
EXPORTED long use(void);

#if defined(ALLOCATOR)
#define DEFINE(n) \
  long function_with_a_rather_long_name_##n(void) { return n; }
ALL(DEFINE)

void *mallocx(size_t size, int flags) {
  (void)flags;
  return malloc(size);
}

void dallocx(void *block, int flags) {
  (void)flags;
  free(block);
}
#elif defined(PLUGIN)
long use(void) {
  long sum = 0;
  dallocx(mallocx(10, 0), 0);
#define ADD(n) sum += function_with_a_rather_long_name_##n();
  ALL(ADD)
  return sum;
}
#else
static bool ended;

static void *ask(void *unused) {
  (void)unused;
  while (!__atomic_load_n(&ended, __ATOMIC_RELAXED)) CHECK(dlsym(RTLD_DEFAULT, "printf") != NULL);
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t asking;
  CHECK(argc == 2 && pthread_create(&asking, NULL, ask, NULL) == 0);
  for (int turn = 0; turn < 400; turn++) {
    void *plugin = dlopen(argv[1], RTLD_NOW);
    CHECK(plugin != NULL);
    long (*run)(void);
    *(void **)&run = dlsym(plugin, "use");
    CHECK(run != NULL && run() == 119800);
    CHECK(dlclose(plugin) == 0);
  }
  __atomic_store_n(&ended, true, __ATOMIC_RELAXED);
  CHECK(pthread_join(asking, NULL) == 0);
  say("ended\n");
  return 0;
}
#endif
