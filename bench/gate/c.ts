// The project's units in C: places that allocate, each in a way of its own.

import type { Place } from "./project.js";

export const C_HEAD = `
#include <stdlib.h>
#include <string.h>
#include "sink.h"
static void *hold(void *block) { sink = block; return block; }
`;

export const C: readonly Place[] = [
  {
    name: "plain",
    text: `
void NAME(void) {
  //@before NAME
  sink = malloc(24);
  //@after NAME
  sink = NULL;
}`,
    call: "NAME();",
  },
  {
    name: "wrapped",
    text: `
static void *NAME_allocate(size_t size) { return malloc(size); }
static void *NAME_make(void) { return NAME_allocate(40); }
void NAME(void) {
  //@before NAME
  sink = NAME_make();
  //@after NAME
}`,
    call: "NAME();",
  },
  {
    name: "loop",
    text: `
void NAME(int times) {
  for (int i = 0; i < times; i++) {
    //@before NAME
    sink = calloc(1, 24);
    //@after NAME
  }
}`,
    call: "NAME(3);",
  },
  {
    name: "copied",
    text: `
__attribute__((noinline)) static void NAME_fill(size_t size, int how) {
  //@before NAME
  sink = how ? realloc(NULL, size) : NULL;
  //@after NAME
}
void NAME(void) { NAME_fill(40, 1); }`,
    call: "NAME();",
  },
  {
    name: "text",
    text: `
void NAME(const char *text) {
  //@before NAME
  sink = strdup(text);
  //@after NAME
}`,
    call: `NAME("what is kept");`,
  },
  {
    name: "pointed",
    text: `
static void NAME_target(void) {
  //@before NAME
  sink = malloc(64);
  //@after NAME
}
void (*volatile NAME_pointer)(void) = NAME_target;
void NAME(void) { NAME_pointer(); }`,
    call: "NAME();",
  },
  {
    name: "same",
    text: `
static void same_name(void) {
  //@before NAME
  sink = hold(malloc(24));
  //@after NAME
}
void NAME(void) { same_name(); }`,
    call: "NAME();",
  },
  {
    name: "twins",
    text: `
static __attribute__((noinline)) void NAME_one(void) { sink = malloc(48); }
static __attribute__((noinline)) void NAME_two(void) { sink = malloc(48); }
void NAME(void) {
  NAME_one();
  //@before NAME
  NAME_two();
  //@after NAME
  sink = NULL;
}`,
    call: "NAME();",
  },
  {
    name: "before_main",
    text: `
__attribute__((constructor)) static void NAME(void) {
  //@before NAME
  sink = malloc(40);
  //@after NAME
}`,
  },
];
