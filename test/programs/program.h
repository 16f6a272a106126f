/* What the test programs share: a way to talk that allocates nothing, and a way to fail.
 *
 * A program's opening comment carries its table of expectations, one line for each kind of allocation that
 * is live when the program ends. The tests read it from there (test/support/programs.ts):
 *
 *     live COUNT x SIZE KIND FUNCTION [via MODULE]
 *
 * FUNCTION is the innermost function of the program itself; unless `via` names the library that called the allocation
 * function on its behalf, it is the innermost frame of all. SIZE may be `*` where it is the library's business.
 * What functions of the program asked for must be in the table, all of it; what libraries keep for themselves need not.
 * A line that begins with `glibc` is not there where the C library is musl.
 *
 * Besides, keep() prints `live 0xADDRESS SIZE` for what stays allocated: these must be the store's addresses.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A function that is a frame of its own under its own name, whatever the optimizer thinks of it. */
#if defined(__clang__)
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone, noipa))
#endif

/* printf to standard output, unbuffered, without touching the heap. */
__attribute__((unused, format(printf, 1, 2))) static void say(const char *format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  for (int done = 0; done < length;) {
    ssize_t written = write(STDOUT_FILENO, line + done, (size_t)(length - done));
    if (written <= 0) _exit(98);
    done += (int)written;
  }
}

/* Ends the program with status 99 and a line that says which expectation did not hold. */
#define CHECK(condition)                                           \
  do {                                                             \
    if (!(condition)) {                                            \
      say("%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      _exit(99);                                                   \
    }                                                              \
  } while (0)

/* Writes all over a block (so that one that is too short, or shared with another, is noticed) and prints it as live. */
__attribute__((unused)) NOINLINE static void *keep(void *block, size_t size) {
  CHECK(block != NULL);
  memset(block, 0xa5, size);
  say("live %p %zu\n", block, size);
  return block;
}

/* fork by an instruction of the program's own, of which nobody is told: clone with SIGCHLD alone. */
__attribute__((unused)) static long fork_by_instruction(void) {
#if defined(__x86_64__)
  register long child __asm__("rax") = 56;
  register long flags __asm__("rdi") = 17;
  register long stack __asm__("rsi") = 0;
  register long parent __asm__("rdx") = 0;
  register long own __asm__("r10") = 0;
  register long local __asm__("r8") = 0;
  __asm__ volatile("syscall" : "+r"(child) : "r"(flags), "r"(stack), "r"(parent), "r"(own), "r"(local) : "rcx", "r11",
      "memory");
  return child;
#else
  register long number __asm__("x8") = 220;
  register long child __asm__("x0") = 17;
  register long stack __asm__("x1") = 0;
  register long parent __asm__("x2") = 0;
  register long local __asm__("x3") = 0;
  register long own __asm__("x4") = 0;
  __asm__ volatile("svc 0" : "+r"(child) : "r"(number), "r"(stack), "r"(parent), "r"(local), "r"(own) : "memory");
  return child;
#endif
}

/* A simple random generator (xorshift64*): the same sequence on every machine. */
__attribute__((unused)) static uint64_t next_random(uint64_t *state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * 2685821657736338717u;
}
