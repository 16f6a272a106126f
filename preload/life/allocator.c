/* The allocator behind the hooks; see allocator.h.
 *
 * In a program that is not position independent, the loader may find an entry of the program's PLT where it only takes
 * the function's address: then the program has a symbol with a value, but none that is defined. Which of the two it is
 * stands in the program's own symbol table.
 */
#include "allocator.h"

#include <stdint.h>
#include <sys/auxv.h>

#include "../base/symbols.h"
#include "../index/index.h"
#include "../stacks/modules.h"
#include "../store/store.h"
#include "../unwind/origin.h"
#include "pass.h"
#include "real.h"

void *mh_own_malloc(size_t size);

/* The program as it is in memory. False: it does not tell where it is. */
static bool find_program(struct mh_mapped_image *image) {
  image->segments = (const ElfW(Phdr) *)getauxval(AT_PHDR);
  image->count = image->segments ? (unsigned)getauxval(AT_PHNUM) : 0;
  for (unsigned i = 0; i < image->count; i++) {
    if (image->segments[i].p_type != PT_PHDR) continue;
    image->bias = (uintptr_t)image->segments - image->segments[i].p_vaddr;
    return true;
  }
  return false;
}

/* Whether the program names the symbol without defining it. */
static bool program_only_refers(const char *name) {
  struct mh_mapped_image image = {0};
  struct mh_symbols symbols;
  return find_program(&image) && mh_symbols_read(&image, &symbols) &&
         !mh_symbols_find(&symbols, name, mh_symbols_hash(name), NULL);
}

static bool is_in_program(uintptr_t pc) {
  const struct mh_module *module = mh_module_at(pc), *program = mh_module_at((uintptr_t)getauxval(AT_ENTRY));
  return module && module == program;
}

/* Whether another malloc comes ahead of memhook's: a definition in the program itself, as with an allocator that is
 * linked into it, or in a library preloaded before. Calls then go there, and memhook sees those alone that it passes
 * on. */
static bool comes_ahead(const void *first) {
  return first && first != (const void *)mh_own_malloc &&
         !(is_in_program((uintptr_t)first) && program_only_refers("malloc"));
}

void mh_allocator_start(void) {
  mh_origin_start(&(struct mh_origin){
      .allocator = (const void *)mh_real.malloc,
      .libc = (const void *)mh_real.getauxval,
      .threads = (const void *)mh_real.pthread_create,
      .loader = (const void *)mh_real.__tls_get_addr,
      .glibc = mh_real.gnu_get_libc_version != NULL,
  });
}

void mh_allocator_judge(void) {
  static bool judged; /* a child has it from its parent, and what was found out since */
  if (!judged && comes_ahead(mh_real_first_malloc)) mh_store_bypassed(true);
  judged = true;
  mh_index_suit(mh_libc_allocates(), mh_real.gnu_get_libc_version != NULL);
  if (mh_allocator_is_silent()) mh_pass_directly();
}
