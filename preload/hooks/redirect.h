/* Second names: functions that allocators and C libraries have besides malloc and free (names.h), taken over where
 * they are, and only there.
 *
 * A program asks whether such a function is there, by a weak reference or dlsym, and does something else if it is
 * not. So memhook does not export these names. Where an object defines one, two things are changed in memory, and
 * nothing in any file:
 *
 *     the definition    what the object's symbol table says of the name leads to the hook. Whoever looks the name up
 *                       from now on finds the hook: the loader for what it loads or binds later, dlsym for anybody
 *     the references    what was bound to the function before, in whatever is loaded by then
 *
 * A name that no object defines is nowhere, as without memhook. When the object is unloaded, what was changed goes
 * with it.
 *
 * RTLD_DEEPBIND works in the same way. What is loaded with it looks first among its own libraries, and finds the C
 * library's malloc there instead of memhook's. So with the first such call, the definitions behind the other hooks
 * are changed as well.
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
  bool present; /* an object has it, whose definition leads to the hook */
};

/* In hooks_names.c. */
extern struct mh_redirect mh_redirects[];
extern const unsigned mh_redirect_count;

/* In dlsym, before it is called: takes over what was loaded since. Not in a child of fork: what this asks the loader
 * for takes a lock that dlsym does not take, and that another thread may have had at the fork. */
void mh_redirect_asked(void);

/* Something is about to be loaded; `deep`: with RTLD_DEEPBIND. */
void mh_redirect_loading(bool deep);
