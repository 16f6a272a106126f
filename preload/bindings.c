/* What references are bound to; see bindings.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* dl_phdr_info */
#endif
#include "bindings.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/uio.h>

#include "sys.h"

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
    uintptr_t *place = (uintptr_t *)(module->info->dlpi_addr + relocation->r_offset);
    if ((uintptr_t)place % sizeof *place) continue;
    uintptr_t bound = MH_GET(*place), wanted = replace(bound);
    if (MH_UNLIKELY(wanted != bound)) mh_bindings_write(module, place, wanted);
  }
}

void mh_bindings_each(const struct mh_loaded *module, uintptr_t (*replace)(uintptr_t bound)) {
  const ElfW(Rela) *data = NULL, *calls = NULL;
  size_t data_bytes = 0, calls_bytes = 0;
  for (const ElfW(Dyn) *entry = module->dynamic; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_RELA) data = mh_loaded_mapped(module, entry->d_un.d_ptr);
    if (entry->d_tag == DT_RELASZ) data_bytes = entry->d_un.d_val;
    if (entry->d_tag == DT_JMPREL) calls = mh_loaded_mapped(module, entry->d_un.d_ptr);
    if (entry->d_tag == DT_PLTRELSZ) calls_bytes = entry->d_un.d_val;
  }
  visit(module, data, data_bytes, replace);
  visit(module, calls, calls_bytes, replace);
}

/* How the loader leaves the page: with the segment's protection, but read-only where that comes when everything is
 * bound. -1: the place is in no segment. */
static int protection_of(const struct mh_loaded *module, uintptr_t place, uintptr_t page_bytes) {
  int protection = -1;
  bool sealed = false;
  for (unsigned i = 0; i < module->info->dlpi_phnum; i++) {
    const ElfW(Phdr) *segment = &module->info->dlpi_phdr[i];
    uintptr_t start = module->info->dlpi_addr + segment->p_vaddr, end = start + segment->p_memsz;
    if (segment->p_type == PT_LOAD && place >= start && place < end)
      protection = (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
                   (segment->p_flags & PF_X ? PROT_EXEC : 0);
    if (segment->p_type == PT_GNU_RELRO) sealed |= place >= (start & -page_bytes) && place < (end & -page_bytes);
  }
  return sealed && protection >= 0 ? protection & ~PROT_WRITE : protection;
}

/* Writes where the page may be written to, and says so. In a module that another thread is loading, that is so until
 * the loader has bound everything: what is to become read-only must not become so earlier. */
static bool write_as_is(uintptr_t *place, uintptr_t value) {
  if (mh_syscall_filtered) return false; /* those filters cannot be asked */
  struct iovec from = {&value, sizeof value}, to = {place, sizeof value};
  return mh_syscall(SYS_process_vm_writev, mh_getpid(), (long)&from, 1, (long)&to, 1, 0) == sizeof value;
}

bool mh_bindings_write(const struct mh_loaded *module, uintptr_t *place, uintptr_t value) {
  uintptr_t page_bytes = mh_page_bytes();
  int protection = protection_of(module, (uintptr_t)place, page_bytes);
  if (protection < 0) return false;
  bool open = protection & PROT_WRITE;
  if (!open && write_as_is(place, value)) return true;
  long page = (long)((uintptr_t)place & -page_bytes), bytes = (long)page_bytes;
  if (!open && mh_syscall(SYS_mprotect, page, bytes, protection | PROT_WRITE, 0, 0, 0) < 0) return false;
  __atomic_store_n(place, value, __ATOMIC_RELEASE);
  if (!open) mh_syscall(SYS_mprotect, page, bytes, protection, 0, 0, 0);
  return true;
}
