/* Functions that have the names of an allocator's and are something else, in a library (-DLIBRARY) that the program is
 * linked with, or that it asks dlsym for them (an argument). They get all their parameters, more than six and in
 * registers of their own, too. The store must hold exactly what was printed.
 */
#include <dlfcn.h>

#include "program.h"

#define EXPORTED __attribute__((visibility("default")))

struct context {
  double scale, shift;
};
typedef long sum_function(long, long, long, long, long, long, long, long);
typedef struct context *context_function(double scale, double shift);
typedef long pool_function(struct context *context, long count);

EXPORTED sum_function mi_new;
EXPORTED context_function tc_new;
EXPORTED pool_function free_sized;

#ifdef LIBRARY
long mi_new(long a, long b, long c, long d, long e, long f, long g, long h) {
  return a + b + c + d + e + f + 10 * g + 100 * h;
}

struct context *tc_new(double scale, double shift) {
  struct context *context = malloc(sizeof *context);
  *context = (struct context){scale, shift};
  return context;
}

/* How many of its pieces are free. */
long free_sized(struct context *context, long count) {
  return (long)context->scale - count;
}
#else
int main(int argc, char **argv) {
  (void)argv;
  sum_function *sum = mi_new;
  context_function *make = tc_new;
  pool_function *count_free = free_sized;
  if (argc > 1) {
    *(void **)&sum = dlsym(RTLD_DEFAULT, "mi_new");
    *(void **)&make = dlsym(RTLD_DEFAULT, "tc_new");
    *(void **)&count_free = dlsym(RTLD_DEFAULT, "free_sized");
  }
  struct context *context = make(7.5, 2.5);
  say("%ld %g %g %ld\n", sum(1, 2, 3, 4, 5, 6, 7, 8), context->scale, context->shift, count_free(context, 3));
  keep(context, sizeof *context);
  return 0;
}
#endif
