/* Second names: functions that allocators and C libraries have besides malloc and free (names.h). They are redirected
 * to hooks where an object defines them.
 *
 * A program tests whether such a function exists, by a weak reference or dlsym, and does something else if it does not.
 * So memhook does not export these names. Where an object defines one, two things are changed in memory, and nothing in
 * any file:
 *
 *     the definition    the name's entry in the object's symbol table leads to the hook. Every later lookup finds the
 *                       hook: the loader's, for what it loads or binds later, and dlsym's
 *     the references    the references in loaded modules that were bound to the function before
 *
 * A name that no object defines stays undefined, as without memhook. When the object is unloaded, the changes go with
 * it.
 *
 * RTLD_DEEPBIND is handled in the same way. A module that is loaded with it looks first among its own libraries, and
 * finds the C library's malloc there instead of memhook's. So at the first such dlopen, the definitions behind the
 * other hooks are changed as well.
 */
#pragma once
#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>

struct mh_redirect {
  const char *name;
  void *hook; /* NULL: only its real function is wanted */
  void *real; /* the function behind it; NULL: no object has had one */
  uint32_t hash;
  bool present; /* an object defines it, and its definition leads to the hook */
};

/* In hooks_names.c. */
extern struct mh_redirect mh_redirects[];
extern const unsigned mh_redirect_count;

/* Before dlsym is called: redirects what was loaded since. Not in a child of fork: this takes a lock of the loader's
 * that dlsym does not take, and that another thread may have held at the fork. */
void mh_redirect_asked(void);

/* Something is about to be loaded; `deep`: with RTLD_DEEPBIND. */
void mh_redirect_loading(bool deep);
