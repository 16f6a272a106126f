/* Mutations, for the proof of exactness only. A build with MH_MUTATION omits one part of the comparison, to show that
 * the proof notices. In every other build it is 0, and nothing is omitted. */
#pragma once
#ifndef MH_MUTATION
#define MH_MUTATION 0
#endif
enum {
  MUTATION_NO_RETURN_ADDRESS = 1, /* every fourth frame's return address is not compared */
  MUTATION_NO_SAVED_FP,           /* saved frame pointers are not compared */
  MUTATION_NO_FP,                 /* the frame pointer is not compared where the walk meets the backtrace */
  MUTATION_NO_END,                /* the word that ended the walk is not compared */
  MUTATION_NO_GENERATION,         /* rules survive dlopen and dlclose */
  MUTATION_DAMAGED_RULES,         /* nothing is omitted: some rules are wrong, as from damaged frame information */
  MUTATION_NO_TAIL_WITNESS,       /* the outermost word of a cached tail is not compared */
  MUTATION_NO_TAIL_NODE,          /* of the cached frame that a tail leads to, only the registers are compared */
  MUTATION_NO_SUFFIX_FRAME,       /* a suffix's frames are not compared, only their number and the cached frame */
  MUTATION_NO_FOREIGN_STACK,      /* witness words on a foreign stack are not compared */
};
