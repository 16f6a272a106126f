/* Starting, at the first hook called; noticing that this is a child of fork; ending. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Starts memhook, or restarts it in a child. False: not now (it is too early, or another thread is starting it), or
 * never (it is off). */
bool mh_start(void);

/* Notes how the process ends. */
void mh_end(uint32_t kind, int status);

/* It does not end after all: exec failed. */
void mh_end_not(void);
