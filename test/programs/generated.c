/* Generated code: a stub without unwind information, in memory of no file, calls malloc. Its caller cannot be found by
 * the rules, but nothing breaks, and blocks are recorded with what is known. x86-64 and aarch64.
 *
 * live 1 x 4096 mmap main
 * live 1 x 92 heap in_main
 *
 * and besides 91 blocks of 91 bytes, whose innermost frame is in no module. With
 * an argument, the path of plugin.c's library, it goes on to generate code, and
 * loads that in between, ten times: then live 10 x 333 heap plugin_leak besides.
 */
#define _GNU_SOURCE 1
#include <dlfcn.h>
#include <sys/mman.h>

#include "program.h"

NOINLINE static void in_main(void) { keep(malloc(92), 92); }

/* Makes a function of a page, which calls malloc and does nothing else. */
static void *(*stub_in(unsigned char *code))(size_t) {
#if defined(__x86_64__)
  /* push rbp; mov rax, malloc; call rax; pop rbp; ret */
  static const unsigned char head[] = {0x55, 0x48, 0xb8}, tail[] = {0xff, 0xd0, 0x5d, 0xc3};
  void *(*function)(size_t) = malloc;
  memcpy(code, head, sizeof head);
  memcpy(code + sizeof head, &function, sizeof function);
  memcpy(code + sizeof head + sizeof function, tail, sizeof tail);
#elif defined(__aarch64__)
  /* stp x29, x30, [sp, #-16]!; ldr x9, #12; blr x9; ldp x29, x30, [sp], #16; ret; .quad malloc */
  static const uint32_t stub[] = {0xa9bf7bfd, 0x58000089, 0xd63f0120, 0xa8c17bfd, 0xd65f03c0};
  void *(*function)(size_t) = malloc;
  memcpy(code, stub, sizeof stub);
  memcpy(code + 20, &function, sizeof function);
#endif
  CHECK(mprotect(code, 4096, PROT_READ | PROT_EXEC) == 0);
  __builtin___clear_cache((char *)code, (char *)code + 4096);
  return (void *(*)(size_t))(intptr_t)code;
}

static unsigned char *page(void) {
  unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(code != MAP_FAILED);
  return code;
}

/* New code all the time, and then a library: its functions are as unknown as that code, but have a name. */
NOINLINE static void generate_and_load(const char *library) {
  for (int i = 0; i < 300; i++) free(stub_in(page())(i));
  void *plugin = dlopen(library, RTLD_NOW);
  CHECK(plugin != NULL);
  void (*leak)(int) = (void (*)(int))(intptr_t)dlsym(plugin, "plugin_leak");
  CHECK(leak != NULL);
  leak(1);
  CHECK(dlclose(plugin) == 0);
}

int main(int argc, char **argv) {
  unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(code != MAP_FAILED);
  void *(*stub_malloc)(size_t) = stub_in(code);
  for (int i = 0; i < 91; i++) keep(stub_malloc(91), 91);
  in_main();
  if (argc > 1)
    for (int i = 0; i < 10; i++) generate_and_load(argv[1]);
  return 0;
}
