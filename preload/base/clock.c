/* Finding the clock; see clock.h. The vDSO is a shared library that the kernel maps into each process. Its symbol table
 * is read here. The loader would allocate to look a symbol up, and the program's allocator may not be ready yet.
 */
#include "clock.h"

#include <errno.h>
#include <link.h>
#include <linux/prctl.h>
#include <sys/auxv.h>

#include "symbols.h"
#include "sys.h"

uint64_t mh_clock_start;
int (*mh_clock_gettime)(clockid_t clock, struct timespec *now);

#if defined(__x86_64__)
#define KERNEL_CLOCK "__vdso_clock_gettime"
#elif defined(__aarch64__)
#define KERNEL_CLOCK "__kernel_clock_gettime"
#endif

static const ElfW(Ehdr) *vdso(void) {
  int before = errno;
  const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
  errno = before; /* getauxval sets it when there is no vDSO */
  return header;
}

/* Where a function of the vDSO is; 0 if there is none of that name, or no vDSO. */
static uintptr_t find_in_vdso(const char *name) {
  const ElfW(Ehdr) *header = vdso();
  if (!header) return 0;
  struct mh_mapped_image image = {.segments = (const ElfW(Phdr) *)((uintptr_t)header + header->e_phoff),
                                  .count = header->e_phnum};
  struct mh_symbols symbols;
  const ElfW(Phdr) *loaded = mh_mapped_segment(&image, PT_LOAD);
  if (!loaded) return 0;
  image.bias = (uintptr_t)header + loaded->p_offset - loaded->p_vaddr;
  const ElfW(Sym) *symbol =
      mh_symbols_read(&image, &symbols) ? mh_symbols_find(&symbols, name, mh_symbols_hash(name), NULL) : NULL;
  return symbol ? image.bias + symbol->st_value : 0;
}

static int call_kernel(clockid_t clock, struct timespec *now) {
  if (mh_syscall(SYS_clock_gettime, clock, (long)now, 0, 0, 0, 0) < 0) *now = (struct timespec){0};
  return 0;
}

bool mh_clock_is_coarse;

void mh_clock_coarsen(void) {
  MH_SET(mh_clock_is_coarse, true);
}

/* Whether reading the processor's counter raises a signal. Threads and children inherit that mode. */
static bool counter_traps(void) {
  int mode = PR_TSC_ENABLE;
  if (mh_syscall_filtered) return false; /* those filters cannot be asked */
  mh_syscall(SYS_prctl, PR_GET_TSC, (long)&mode, 0, 0, 0, 0);
  return mode == PR_TSC_SIGSEGV;
}

void mh_clock_find(void) {
  if (counter_traps()) mh_clock_coarsen();
  int (*found)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))find_in_vdso(KERNEL_CLOCK);
  struct timespec now;
  clockid_t exact = mh_clock_is_coarse ? CLOCK_MONOTONIC_COARSE : CLOCK_MONOTONIC;
  bool works = found && found(exact, &now) == 0 && found(CLOCK_MONOTONIC_COARSE, &now) == 0;
  mh_clock_gettime = works ? found : call_kernel;
}
