/* What is particular to an architecture when a stack is walked. */
#pragma once
#if defined(__x86_64__)
#include "step_x86_64.h"
#elif defined(__aarch64__)
#include "step_aarch64.h"
#else
#error "no walk for this architecture"
#endif
