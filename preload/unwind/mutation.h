/* Mutations: for the proof of exactness alone. A build with MH_MUTATION leaves one part of the verification out, to
 * show that the proof notices. Zero, and so nothing at all, in every other build. */
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
  MUTATION_DAMAGED_RULES,         /* not a part left out: some rules are wrong, as from damaged frame information */
  MUTATION_NO_TAIL_WITNESS,       /* the outermost word of a cached tail is not compared */
  MUTATION_NO_TAIL_NODE,          /* nor which cached frame a tail leads to, but by its registers */
  MUTATION_NO_SUFFIX_FRAME,       /* of a suffix, not its frames are compared, only how many and from where */
  MUTATION_NO_FOREIGN_STACK,      /* witness words on a foreign stack are not compared */
};
