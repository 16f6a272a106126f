/* Generated code: a stub without unwind information, in memory of no file, calls malloc. Its caller cannot be found by the
 * rules, but nothing breaks, and blocks are recorded with what is known. x86-64 and aarch64.
 *
 * live 1 x 4096 mmap main
 * live 1 x 92 heap in_main
 *
 * and besides 91 blocks of 91 bytes, whose innermost frame is in no module.
 */
#define _GNU_SOURCE 1
#include <sys/mman.h>

#include "program.h"

NOINLINE static void in_main(void) { keep(malloc(92), 92); }

int main(void) {
  unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(code != MAP_FAILED);
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
  void *(*stub_malloc)(size_t) = (void *(*)(size_t))(intptr_t)code;
  for (int i = 0; i < 91; i++) keep(stub_malloc(91), 91);
  in_main();
  return 0;
}
