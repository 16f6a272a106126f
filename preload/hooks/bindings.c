/* Bound references; see bindings.h. */
#include "bindings.h"

#include <elf.h>
#include <errno.h>
#include <sys/uio.h>

#include "../store/stand_in.h"
#include "../store/store.h"
#include "../base/sys.h"

#if defined(__x86_64__)
enum { BOUND_CALL = R_X86_64_JUMP_SLOT, BOUND_ADDRESS = R_X86_64_GLOB_DAT, BOUND_DATA = R_X86_64_64 };
#elif defined(__aarch64__)
enum { BOUND_CALL = R_AARCH64_JUMP_SLOT, BOUND_ADDRESS = R_AARCH64_GLOB_DAT, BOUND_DATA = R_AARCH64_ABS64 };
#endif

static void visit(const struct mh_loaded *module, const ElfW(Rela) *relocation, size_t bytes,
                  uintptr_t (*replace)(uintptr_t bound)) {
  if (!relocation) return;
  for (const ElfW(Rela) *end = relocation + bytes / sizeof *relocation; relocation < end; relocation++) {
    uint32_t type = (uint32_t)ELF64_R_TYPE(relocation->r_info);
    if (type != BOUND_CALL && type != BOUND_ADDRESS && type != BOUND_DATA) continue;
    uintptr_t *place = (uintptr_t *)(module->image.bias + relocation->r_offset);
    if ((uintptr_t)place % sizeof *place) continue;
    uintptr_t bound = MH_GET(*place), wanted = replace(bound);
    if (MH_UNLIKELY(wanted != bound)) mh_bindings_write(module, place, wanted);
  }
}

void mh_bindings_each(const struct mh_loaded *module, uintptr_t (*replace)(uintptr_t bound)) {
  const ElfW(Rela) *data = NULL, *calls = NULL;
  size_t data_bytes = 0, calls_bytes = 0;
  for (const ElfW(Dyn) *entry = mh_mapped_dynamic(&module->image); entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_RELA) data = mh_mapped_at(&module->image, entry->d_un.d_ptr);
    if (entry->d_tag == DT_RELASZ) data_bytes = entry->d_un.d_val;
    if (entry->d_tag == DT_JMPREL) calls = mh_mapped_at(&module->image, entry->d_un.d_ptr);
    if (entry->d_tag == DT_PLTRELSZ) calls_bytes = entry->d_un.d_val;
  }
  visit(module, data, data_bytes, replace);
  visit(module, calls, calls_bytes, replace);
}

/* The segment's protection, as the file has it; -1: the place is in no segment. */
static int protection_of(const struct mh_loaded *module, uintptr_t place) {
  const ElfW(Phdr) *segment = mh_mapped_segment_at(&module->image, place);
  if (!segment) return -1;
  return (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
         (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* Writes if the page is writable; else returns -EFAULT. While another thread is loading a module, its pages are
 * writable until the loader has bound everything. They must not become read-only earlier. */
static long write_as_is(uintptr_t *place, uintptr_t value) {
  struct iovec from = {&value, sizeof value}, to = {place, sizeof value};
  return mh_syscall(SYS_process_vm_writev, mh_getpid(), (long)&from, 1, (long)&to, 1, 0);
}

/* Writes as a debugger does, whatever the page's protection is. The protection stays: code never becomes writable, and
 * flags like PROT_BTI are not lost. */
static bool write_as_debugger(uintptr_t *place, uintptr_t value) {
  int memory = mh_open("/proc/self/mem", O_RDWR | O_CLOEXEC, 0);
  if (memory < 0) return false;
  bool written = mh_pwrite(memory, &value, sizeof value, (uintptr_t)place) == sizeof value;
  mh_close(memory);
  return written;
}

/* Makes the page writable for the moment. For pages that are not code, where nothing else is allowed. */
static bool write_opened(uintptr_t *place, uintptr_t value, int protection) {
  long page = (long)((uintptr_t)place & -mh_page_bytes()), bytes = (long)mh_page_bytes();
  if (mh_syscall(SYS_mprotect, page, bytes, protection | PROT_WRITE, 0, 0, 0) < 0) return false;
  __atomic_store_n(place, value, __ATOMIC_RELEASE);
  mh_syscall(SYS_mprotect, page, bytes, protection & ~PROT_WRITE, 0, 0, 0);
  return true;
}

bool mh_bindings_write(const struct mh_loaded *module, uintptr_t *place, uintptr_t value) {
  int protection = protection_of(module, (uintptr_t)place);
  if (protection < 0) return false;
  /* Filters from before the program began cannot be run. They allow the loader's own calls, of which mprotect is
   * one. */
  long written = mh_syscall_filtered ? -EFAULT : write_as_is(place, value);
  if (written == sizeof value || (!mh_syscall_filtered && write_as_debugger(place, value))) return true;
  if (written == -EFAULT && !(protection & PROT_EXEC) && write_opened(place, value, protection)) return true;
  if (!mh_stands_in()) mh_store_drop(0);
  return false;
}
