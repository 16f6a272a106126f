/* Seccomp filters; see seccomp.h. A filter is classic BPF code on a struct seccomp_data. Jumps only go forwards, so
 * every run ends. */
#include "seccomp.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "clock.h"
#include "peek.h"
#include "sys.h"
#include "text.h"

#define FILTERS_MAX 64
#define ANCESTORS_MAX 64

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

static struct filter {
  uint32_t length;
  struct sock_filter *code;
} filters[FILTERS_MAX];
static uint32_t filter_count;

static uint32_t calculate(unsigned operation, uint32_t a, uint32_t operand) {
  switch (operation) {
    case BPF_ADD: return a + operand;
    case BPF_SUB: return a - operand;
    case BPF_MUL: return a * operand;
    case BPF_DIV: return operand ? a / operand : 0;
    case BPF_OR: return a | operand;
    case BPF_AND: return a & operand;
    case BPF_XOR: return a ^ operand;
    case BPF_LSH: return operand < 32 ? a << operand : 0;
    case BPF_RSH: return operand < 32 ? a >> operand : 0;
    default: return -a; /* BPF_NEG */
  }
}

static bool holds(unsigned comparison, uint32_t a, uint32_t operand) {
  switch (comparison) {
    case BPF_JEQ: return a == operand;
    case BPF_JGT: return a > operand;
    case BPF_JGE: return a >= operand;
    default: return (a & operand) != 0; /* BPF_JSET */
  }
}

/* The value of a load: from the call's data, from the filter's memory, or from the instruction itself. */
static uint32_t load(const struct sock_filter *step, const struct seccomp_data *call, const uint32_t *memory) {
  uint32_t word = 0;
  switch (BPF_MODE(step->code)) {
    case BPF_ABS:
      if (step->k <= sizeof(*call) - sizeof(word))
        __builtin_memcpy(&word, (const uint8_t *)call + step->k, sizeof(word));
      return word;
    case BPF_MEM: return memory[step->k % BPF_MEMWORDS];
    case BPF_LEN: return sizeof(*call);
    default: return step->k; /* BPF_IMM */
  }
}

/* Runs a filter, and returns its action. */
static uint32_t run(const struct filter *filter, const struct seccomp_data *call) {
  uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};
  for (uint64_t at = 0; at < filter->length; at++) {
    const struct sock_filter *step = &filter->code[at];
    uint32_t operand = BPF_SRC(step->code) == BPF_X ? x : step->k;
    switch (BPF_CLASS(step->code)) {
      case BPF_LD: a = load(step, call, memory); break;
      case BPF_LDX: x = load(step, call, memory); break;
      case BPF_ST: memory[step->k % BPF_MEMWORDS] = a; break;
      case BPF_STX: memory[step->k % BPF_MEMWORDS] = x; break;
      case BPF_ALU: a = calculate(BPF_OP(step->code), a, operand); break;
      case BPF_JMP:
        at += BPF_OP(step->code) == BPF_JA ? step->k : holds(BPF_OP(step->code), a, operand) ? step->jt : step->jf;
        break;
      case BPF_RET: return BPF_RVAL(step->code) == BPF_A ? a : step->k;
      default: /* BPF_MISC */
        if (BPF_MISCOP(step->code) == BPF_TAX)
          x = a;
        else
          a = x;
    }
  }
  return SECCOMP_RET_KILL_THREAD;
}

static bool forbidden(const long words[7]) {
  struct seccomp_data call = {
      .nr = (int)words[0], .arch = ARCHITECTURE, .instruction_pointer = (uintptr_t)forbidden};
  for (unsigned i = 0; i < 6; i++) call.args[i] = (uint64_t)words[i + 1];
  uint32_t count = __atomic_load_n(&filter_count, __ATOMIC_ACQUIRE);
  for (uint32_t i = 0; i < count; i++) {
    uint32_t action = run(&filters[i], &call) & SECCOMP_RET_ACTION_FULL;
    if (action != SECCOMP_RET_ALLOW && action != SECCOMP_RET_ERRNO && action != SECCOMP_RET_LOG) return true;
  }
  return false;
}

static bool all_forbidden(const long words[7]) {
  return words[0] != SYS_read && words[0] != SYS_write && words[0] != SYS_exit;
}

/* All but the calls that the loader made to load this library. */
static bool beyond_loader(const long words[7]) {
  return words[0] != SYS_openat && words[0] != SYS_read && words[0] != SYS_close && words[0] != SYS_write;
}

bool mh_seccomp_add(const void *program) {
  struct sock_fprog named;
  if (!program || !mh_peek(&named, (uintptr_t)program, sizeof(named)) || named.len == 0 || named.len > BPF_MAXINSNS)
    return false;
  size_t bytes = named.len * sizeof(struct sock_filter);
  struct sock_filter *code = filter_count < FILTERS_MAX ? mh_map_private(bytes) : NULL;
  if (!code || !mh_peek(code, (uintptr_t)named.filter, bytes)) {
    /* A filter that cannot be run may forbid everything. */
    mh_seccomp_strict();
    return false;
  }
  filters[filter_count] = (struct filter){named.len, code};
  __atomic_store_n(&filter_count, filter_count + 1, __ATOMIC_RELEASE);
  if (!mh_syscall_forbidden) mh_syscall_forbidden = forbidden;
  if (forbidden((const long[7]){SYS_clock_gettime, CLOCK_MONOTONIC})) mh_clock_coarsen();
  return true;
}

void mh_seccomp_drop(void) {
  __atomic_store_n(&filter_count, filter_count - 1, __ATOMIC_RELEASE);
}

void mh_seccomp_strict(void) {
  mh_clock_coarsen();
  mh_syscall_forbidden = all_forbidden;
}

/* How many filters a process has (before Linux 5.9: whether it has any), and its parent. NAME as in /proc. */
static bool read_filters(const char *name, uint64_t *filters, uint64_t *parent) {
  static char status[4096]; /* static as stacks may be small: only the thread that starts memhook is here */
  MH_TEXT(path, 64);
  mh_text_add(&path, "/proc/");
  mh_text_add(&path, name);
  mh_text_add(&path, "/status");
  return mh_read_file(path.data, status, sizeof(status)) > 0 && mh_status_number(status, "\nPPid:", 0, parent) &&
         (mh_status_number(status, "\nSeccomp_filters:", 0, filters) ||
          mh_status_number(status, "\nSeccomp:", 0, filters));
}

static bool is_sandboxed(void) {
  uint64_t own = 0, parent, above, next;
  bool known = read_filters("self", &own, &parent);
  mh_syscall_filtered = !known || own;
  if (!known || own == 0) return false;
  for (unsigned turn = 0; turn < ANCESTORS_MAX && parent > 1; turn++, parent = next) {
    MH_TEXT(name, 24);
    mh_text_add_number(&name, parent);
    if (!read_filters(name.data, &above, &next)) return false;
    if (above == own) continue;
    mh_syscall_forbidden = beyond_loader;
    return true;
  }
  return false;
}

bool mh_seccomp_sandboxed(void) {
  static bool begun, sandboxed;
  if (!__atomic_exchange_n(&begun, true, __ATOMIC_RELAXED))
    __atomic_store_n(&sandboxed, is_sandboxed(), __ATOMIC_RELAXED);
  return MH_GET(sandboxed);
}
