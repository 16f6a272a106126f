/* An auditor (LD_AUDIT), as tracers of calls are. What it does is chosen by -D:
 *
 *   CALLS     follows each call through the procedure linkage table, and its return
 *   FOLLOWS   the same, but not the returns
 *   CHANGES   binds getppid to a function of its own
 *   WATCHES   is told of bindings, searches and activity, and changes nothing
 *   ALLOCATES in every callback
 *   LOADS     a library of its own when the program begins
 *
 * The program under it must do what it does without, and memhook see it.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>

#define VISIBLE __attribute__((visibility("default")))

static void work(void) {
#ifdef ALLOCATES
  void *volatile block = malloc(77);
  free(block);
#endif
}

unsigned la_version(unsigned version);
VISIBLE unsigned la_version(unsigned version) {
  work();
  return version;
}

unsigned la_objopen(struct link_map *map, Lmid_t namespace, uintptr_t *cookie);
VISIBLE unsigned la_objopen(struct link_map *map, Lmid_t namespace, uintptr_t *cookie) {
  (void)map, (void)namespace, (void)cookie;
  work();
  return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

#ifdef LOADS
void la_preinit(uintptr_t *cookie);
VISIBLE void la_preinit(uintptr_t *cookie) {
  (void)cookie;
  if (!dlmopen(LM_ID_NEWLM, "libm.so.6", RTLD_NOW)) abort();
}
#endif

#ifdef WATCHES
void la_activity(uintptr_t *cookie, unsigned flag);
VISIBLE void la_activity(uintptr_t *cookie, unsigned flag) {
  (void)cookie, (void)flag;
  work();
}

char *la_objsearch(const char *name, uintptr_t *cookie, unsigned flag);
VISIBLE char *la_objsearch(const char *name, uintptr_t *cookie, unsigned flag) {
  (void)cookie, (void)flag;
  work();
  return (char *)(uintptr_t)name;
}
#endif

#if defined(CHANGES) || defined(WATCHES) || defined(CALLS) || defined(FOLLOWS)
static int other_getppid(void) { return 4242; }

uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to, unsigned *flags,
                       const char *name);
VISIBLE uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned index, uintptr_t *from, uintptr_t *to, unsigned *flags,
                               const char *name) {
  (void)index, (void)from, (void)to, (void)flags;
  work();
#ifdef CHANGES
  const char *wanted = "getppid";
  while (*wanted && *wanted == *name) wanted++, name++;
  if (*wanted == *name) return (uintptr_t)other_getppid;
#else
  (void)name, (void)other_getppid;
#endif
  return symbol->st_value;
}
#endif

#if defined(CALLS) || defined(FOLLOWS)
#if defined(__x86_64__)
#define ENTER la_x86_64_gnu_pltenter
#define EXIT la_x86_64_gnu_pltexit
#define REGISTERS La_x86_64_regs
#define RESULT La_x86_64_retval
#elif defined(__aarch64__)
#define ENTER la_aarch64_gnu_pltenter
#define EXIT la_aarch64_gnu_pltexit
#define REGISTERS La_aarch64_regs
#define RESULT La_aarch64_retval
#endif
ElfW(Addr) ENTER(ElfW(Sym) *symbol, unsigned index, uintptr_t *from, uintptr_t *to, REGISTERS *registers,
                 unsigned *flags, const char *name, long *stack_bytes);
VISIBLE ElfW(Addr) ENTER(ElfW(Sym) *symbol, unsigned index, uintptr_t *from, uintptr_t *to, REGISTERS *registers,
                         unsigned *flags, const char *name, long *stack_bytes) {
  (void)index, (void)from, (void)to, (void)registers, (void)flags, (void)name, (void)stack_bytes;
  work();
#ifdef CALLS
  *stack_bytes = 64;
#endif
  return symbol->st_value;
}
#ifdef CALLS
unsigned EXIT(ElfW(Sym) *symbol, unsigned index, uintptr_t *from, uintptr_t *to, const REGISTERS *registers,
              RESULT *result, const char *name);
VISIBLE unsigned EXIT(ElfW(Sym) *symbol, unsigned index, uintptr_t *from, uintptr_t *to, const REGISTERS *registers,
                      RESULT *result, const char *name) {
  (void)symbol, (void)index, (void)from, (void)to, (void)registers, (void)result, (void)name;
  work();
  return 0;
}
#endif
#endif
