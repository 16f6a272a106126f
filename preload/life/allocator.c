/* The allocator behind the hooks; see allocator.h.
 *
 * A program that is not position independent may take malloc's address. Then the loader resolves the symbol to an entry
 * of the program's PLT: the program's symbol has a value, but is not defined. The program's own symbol table tells such
 * a reference from a definition.
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

/* The program's image in memory. False: it has no PT_PHDR segment, which tells its address. */
static bool find_program(struct mh_mapped_image *image) {
  image->segments = (const ElfW(Phdr) *)getauxval(AT_PHDR);
  image->count = image->segments ? (unsigned)getauxval(AT_PHNUM) : 0;
  const ElfW(Phdr) *headers = mh_mapped_segment(image, PT_PHDR);
  if (headers) image->bias = (uintptr_t)image->segments - headers->p_vaddr;
  return headers;
}

/* Whether the program refers to the symbol without defining it. */
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

/* Whether another malloc precedes memhook's: one in the program itself, as with an allocator that is linked into it, or
 * in a library that is preloaded before memhook. Then calls reach that one, and memhook only sees the calls that it
 * passes on. */
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
  static bool judged; /* a child inherits the answer from its parent */
  if (!judged && comes_ahead(mh_real_first_malloc)) mh_store_bypassed(true);
  judged = true;
  mh_index_suit(mh_libc_allocates(), mh_real.gnu_get_libc_version != NULL);
  if (mh_allocator_is_silent()) mh_pass_directly();
}
