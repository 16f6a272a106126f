/* Finding the clock; see clock.h. The vDSO is a shared library that the kernel maps into each process. Its symbol table is read here, since the loader
 * would allocate to answer, on behalf of a program whose allocator may not be ready.
 */
#include "clock.h"

#include <errno.h>
#include <link.h>
#include <linux/prctl.h>
#include <sys/auxv.h>

#include "sys.h"
#include "text.h"

int (*mh_clock_gettime)(clockid_t clock, struct timespec *now);

#if defined(__x86_64__)
#define KERNEL_CLOCK "__vdso_clock_gettime"
#elif defined(__aarch64__)
#define KERNEL_CLOCK "__kernel_clock_gettime"
#endif

/* What its dynamic section tells of a library. */
struct symbols {
  const ElfW(Sym) *table;
  const char *names;
  uint32_t count;
};

/* The number of symbols is that of the chains of a hash table; of GNU's: of where the last chain ends. */
static uint32_t count_in_gnu_hash(const uint32_t *hash) {
  uint32_t buckets = hash[0], first = hash[1], bloom = hash[2], last = 0;
  const uint32_t *bucket = (const uint32_t *)((const uintptr_t *)(hash + 4) + bloom), *chain = bucket + buckets;
  for (uint32_t i = 0; i < buckets; i++)
    if (bucket[i] > last) last = bucket[i];
  if (last < first) return 0;
  while (!(chain[last - first] & 1)) last++;
  return last + 1;
}

static struct symbols read_symbols(const ElfW(Dyn) *dynamic, uintptr_t bias) {
  struct symbols symbols = {0};
  for (; dynamic->d_tag != DT_NULL; dynamic++) {
    const void *at = (const void *)(bias + dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_SYMTAB) symbols.table = at;
    if (dynamic->d_tag == DT_STRTAB) symbols.names = at;
    if (dynamic->d_tag == DT_HASH) symbols.count = ((const uint32_t *)at)[1];
    if (dynamic->d_tag == DT_GNU_HASH && !symbols.count) symbols.count = count_in_gnu_hash(at);
  }
  return symbols;
}

static const ElfW(Ehdr) *vdso(void) {
  int before = errno;
  const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
  errno = before; /* it says when there is none */
  return header;
}

/* Where a function of the vDSO is; 0 if there is none of that name, or no vDSO. */
static uintptr_t find_in_vdso(const char *name) {
  const ElfW(Ehdr) *header = vdso();
  if (!header) return 0;
  const ElfW(Phdr) *segments = (const ElfW(Phdr) *)((uintptr_t)header + header->e_phoff), *dynamic = NULL;
  uintptr_t bias = 0;
  for (unsigned i = header->e_phnum; i-- > 0;) {
    if (segments[i].p_type == PT_LOAD) bias = (uintptr_t)header + segments[i].p_offset - segments[i].p_vaddr;
    if (segments[i].p_type == PT_DYNAMIC) dynamic = &segments[i];
  }
  if (!dynamic) return 0;
  struct symbols symbols = read_symbols((const ElfW(Dyn) *)(bias + dynamic->p_vaddr), bias);
  for (uint32_t i = 0; symbols.table && symbols.names && i < symbols.count; i++)
    if (symbols.table[i].st_shndx != SHN_UNDEF && mh_equal(symbols.names + symbols.table[i].st_name, name)) return bias + symbols.table[i].st_value;
  return 0;
}

static int call_kernel(clockid_t clock, struct timespec *now) {
  if (mh_syscall(SYS_clock_gettime, clock, (long)now, 0, 0, 0, 0) < 0) *now = (struct timespec){0};
  return 0;
}

bool mh_clock_is_coarse;

void mh_clock_coarsen(void) {
  MH_SET(mh_clock_is_coarse, true);
}

/* Threads and children have it from whom they were made by. */
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
