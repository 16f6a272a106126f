/* Where stacks end: at their end, or where the callers are lost.
 *
 * Each case allocates its size three times, on one and the same stack. With the argument "damaged" there is one more,
 * which only memhook's own unwinder survives.
 *
 * end 101 whole main
 * end 102 whole a constructor
 * end 103 whole a thread
 * end 104 lost code without frame information
 * end 105 lost code in anonymous memory, as a JIT compiler makes it
 * end 106 whole code that says that it has no caller
 * glibc end 107 whole a coroutine of makecontext
 * glibc end 108 whole a process by clone, in the same memory
 * glibc end 109 whole a signal's handler
 * glibc end 110 whole a function that a function of the C library calls
 * musl end 110 lost a function that a function of the C library calls
 * musl end 112 lost the C library's own call, for main
 * glibc end 112 whole the C library's own call, for main
 * glibc end 113 lost a handler for a call of a null pointer
 * end 120 lost a frame pointer that is none
 */
#include "program.h"

#include <pthread.h>
#include <sys/mman.h>
#if defined(__GLIBC__)
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>
#endif

/* Three times from one place. */
#define REPEAT for (volatile int i = 0; i < 3; i++)
#define STACK_BYTES 65536

/* Each calls its argument. */
void bare_call(void (*function)(void)), bare_call_end(void);
void outermost_call(void (*function)(void));
void damaged_call(void (*function)(void));

#if defined(__x86_64__)
__asm__(".text\n.globl bare_call\nbare_call:\n"
        "  sub $8, %rsp\n  call *%rdi\n  add $8, %rsp\n  ret\n"
        ".globl bare_call_end\nbare_call_end:\n"
        "  ud2\n"
        ".globl outermost_call\noutermost_call:\n  .cfi_startproc\n  .cfi_undefined rip\n"
        "  sub $8, %rsp\n  call *%rdi\n  add $8, %rsp\n  ret\n  .cfi_endproc\n"
        ".globl damaged_call\ndamaged_call:\n  .cfi_startproc\n"
        "  push %rbp\n  .cfi_def_cfa_offset 16\n  .cfi_offset rbp, -16\n"
        "  mov %rsp, %rbp\n  .cfi_def_cfa_register rbp\n"
        "  push %rbp\n  sub $8, %rsp\n  mov $8, %ebp\n  call *%rdi\n  add $8, %rsp\n  pop %rbp\n"
        "  pop %rbp\n  ret\n  .cfi_endproc\n");
#else
__asm__(".text\n.globl bare_call\nbare_call:\n"
        "  stp x29, x30, [sp, #-16]!\n  blr x0\n  ldp x29, x30, [sp], #16\n  ret\n"
        ".globl bare_call_end\nbare_call_end:\n"
        "  udf #0\n"
        ".globl outermost_call\noutermost_call:\n  .cfi_startproc\n  .cfi_undefined x30\n"
        "  stp x29, x30, [sp, #-16]!\n  blr x0\n  ldp x29, x30, [sp], #16\n  ret\n  .cfi_endproc\n"
        ".globl damaged_call\ndamaged_call:\n  .cfi_startproc\n"
        "  stp x29, x30, [sp, #-32]!\n  .cfi_def_cfa_offset 32\n  .cfi_offset x29, -32\n  .cfi_offset x30, -24\n"
        "  mov x29, sp\n  .cfi_def_cfa_register x29\n"
        "  mov x29, #8\n  blr x0\n  mov x29, sp\n  ldp x29, x30, [sp], #32\n  ret\n  .cfi_endproc\n");
#endif

static int size;

NOINLINE static void allocate(void) { keep(malloc((size_t)size), (size_t)size); }

NOINLINE __attribute__((constructor)) static void before_main(void) {
  size = 102;
  REPEAT allocate();
}

static void *thread(void *nothing) {
  REPEAT allocate();
  return nothing;
}
static void in_thread(void) {
  pthread_t id;
  size = 103;
  CHECK(pthread_create(&id, NULL, thread, NULL) == 0);
  CHECK(pthread_join(id, NULL) == 0);
}

static void in_generated_code(void) {
  size_t bytes = (size_t)((char *)bare_call_end - (char *)bare_call);
  void (*code)(void (*)(void)) = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy((void *)code, (void *)bare_call, bytes);
  __builtin___clear_cache((char *)code, (char *)code + bytes);
  CHECK(mprotect((void *)code, 4096, PROT_READ | PROT_EXEC) == 0);
  size = 105;
  REPEAT code(allocate);
}

static int compare(const void *a, const void *b) {
  if (size == 110) allocate();
  size = 0;
  return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}
NOINLINE static void in_sort(void) {
  REPEAT {
    int numbers[2] = {2, 1};
    size = 110;
    qsort(numbers, 2, sizeof *numbers, compare);
  }
}

NOINLINE static void by_library(void) {
  char text[112];
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = 0;
  REPEAT keep(strdup(text), sizeof text);
}

#if defined(__GLIBC__)
static char stack[STACK_BYTES] __attribute__((aligned(16)));

static void coroutine(void) {
  REPEAT allocate();
}
static void in_coroutine(void) {
  static ucontext_t own, other;
  getcontext(&other);
  other.uc_stack.ss_sp = stack;
  other.uc_stack.ss_size = sizeof stack;
  other.uc_link = &own;
  size = 107;
  makecontext(&other, coroutine, 0);
  swapcontext(&own, &other);
}

static int cloned(void *nothing) {
  (void)nothing;
  REPEAT allocate();
  _exit(0);
}
/* Which waits until it has ended, as posix_spawn does. */
static void in_clone(void) {
  size = 108;
  pid_t id = clone(cloned, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
  CHECK(id > 0 && waitpid(id, NULL, 0) == id);
}

static sigjmp_buf back;
static void handle(int number) {
  (void)number;
  allocate();
}
static void escape(int number) {
  (void)number;
  allocate();
  siglongjmp(back, 1);
}
static void in_handlers(void) {
  signal(SIGUSR1, handle);
  size = 109;
  REPEAT raise(SIGUSR1);
  void (*volatile nowhere)(void) = NULL;
  signal(SIGSEGV, escape);
  size = 113;
  REPEAT
    if (!sigsetjmp(back, 1)) nowhere();
}
#endif

int main(int argc, char **argv) {
  size = 101;
  REPEAT allocate();
  in_thread();
  size = 104;
  REPEAT bare_call(allocate);
  in_generated_code();
  size = 106;
  REPEAT outermost_call(allocate);
#if defined(__GLIBC__)
  in_coroutine();
  in_clone();
  in_handlers();
#endif
  in_sort();
  by_library();
  size = 120;
  if (argc > 1 && strcmp(argv[1], "damaged") == 0)
    REPEAT damaged_call(allocate);
  return 0;
}
