/* Call frame information; see cfi.h. */
#include "cfi.h"

#include "cfi_program.h"
#include "cursor.h"
#include "../base/lock.h"
#include "../stacks/modules.h"
#include "../base/peek.h"
#include "unwind_rule.h"
#include "step.h"
#include "../base/sys.h"
#include "../threads/thread.h"

/* ── Reading a module's frame information ──────────────────────────────────────────────────────── */

/* The numbers of threads that read frame information directly, and of modules being unloaded. A thread adds itself to
 * one number, then reads the other. So of a reader and an unloading thread at least one sees the other. */
static uint32_t readers, unloading;

void mh_cfi_unloading(void) {
  __atomic_add_fetch(&unloading, 1, __ATOMIC_SEQ_CST);
  mh_tls.unloading++;
  /* A reader is done within microseconds. One that is stopped in the middle is not waited for any longer. */
  for (unsigned turn = 0; turn < 1000 && __atomic_load_n(&readers, __ATOMIC_SEQ_CST); turn++)
    mh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

void mh_cfi_unloaded(void) {
  mh_tls.unloading--;
  __atomic_sub_fetch(&unloading, 1, __ATOMIC_SEQ_CST);
}

void mh_cfi_child(void) {
  readers = 0;
  unloading = mh_tls.unloading;
}

/* The memory that may be read, and how. */
struct source {
  uintptr_t low, high;
  bool direct; /* false: by the kernel */
};

static bool copy(const struct source *source, uintptr_t address, void *into, size_t bytes) {
  if (address < source->low || address > source->high || bytes > source->high - address) return false;
  if (source->direct) {
    memcpy(into, (const void *)address, bytes);
    return true;
  }
  return mh_peek(into, address, bytes);
}

/* A cursor over one CIE or FDE at `address`, behind its length. `buffer` is used where it cannot be read in place. */
#define RECORD_BYTES 512
static bool open_record(const struct source *source, uintptr_t address, uint8_t *buffer, struct mh_cursor *c) {
  uint32_t length;
  if (!copy(source, address, &length, sizeof length)) return false;
  address += sizeof length;
  if (length == 0 || length >= 0xfffffff0 || length > source->high - address) return false;
  if (source->direct) {
    *c = (struct mh_cursor){.at = (const uint8_t *)address, .end = (const uint8_t *)address + length};
    return true;
  }
  if (length > RECORD_BYTES || !copy(source, address, buffer, length)) return false;
  *c = (struct mh_cursor){.at = buffer, .end = buffer + length, .moved = (intptr_t)(address - (uintptr_t)buffer)};
  return true;
}

/* ── Reading a CIE: what several functions share ───────────────────────────────────────────────── */

static bool read_cie(const struct source *source, uintptr_t address, uint8_t *buffer, struct mh_cie *cie) {
  struct mh_cursor c;
  if (!open_record(source, address, buffer, &c) || mh_cursor_u32(&c) != 0) return false;
  uint8_t version = mh_cursor_u8(&c);
  if (version != 1 && version != 3) return false;
  char augmentation[8];
  unsigned length = 0;
  do {
    if (length == sizeof augmentation) return false;
    augmentation[length] = (char)mh_cursor_u8(&c);
  } while (augmentation[length++]);
  *cie = (struct mh_cie){0};
  cie->code_align = mh_cursor_uleb(&c);
  cie->data_align = mh_cursor_sleb(&c);
  cie->ra_register = version == 1 ? mh_cursor_u8(&c) : mh_cursor_uleb(&c);
  if (augmentation[0] == 'z') {
    cie->augmented = true;
    uint64_t bytes = mh_cursor_uleb(&c);
    if (bytes > (uint64_t)(c.end - c.at)) return false;
    const uint8_t *instructions = c.at + bytes;
    for (const char *letter = augmentation + 1; *letter; letter++) {
      switch (*letter) {
        case 'R': cie->pointer_encoding = mh_cursor_u8(&c); break;
        case 'L': mh_cursor_u8(&c); break;
        case 'P': { /* the personality routine: only its size matters */
          uint8_t encoding = mh_cursor_u8(&c);
          mh_cursor_encoded(&c, encoding & 0x0f);
          break;
        }
        case 'S': cie->signal = true; break;
        case 'B': break; /* return addresses signed with the other key: they are only stripped */
        case 'G': break; /* memory tagging */
        default: return false;
      }
    }
    if (c.bad || c.at > instructions) return false;
    c.at = instructions;
  } else if (augmentation[0]) {
    return false;
  }
  cie->instructions = c;
  return !c.bad;
}

/* ── Finding the description of a function ─────────────────────────────────────────────────────── */

enum found { FOUND, NOT_DESCRIBED, NOT_SEARCHABLE };

/* Searches the sorted table for the last function that starts at or before `pc`. */
static enum found find_fde(const struct source *source, const struct mh_frame_tables *tables, uintptr_t pc,
                           uintptr_t *fde) {
  uintptr_t header = tables->header;
  struct {
    uint8_t version, frame_encoding, count_encoding, table_encoding;
    int32_t frame;
    uint32_t count;
  } head;
  if (tables->header_bytes < sizeof head || !copy(source, header, &head, sizeof head)) return NOT_DESCRIBED;
  /* Four-byte offsets from the header are what every linker writes. */
  bool four_bytes = (head.frame_encoding & 0x0f) == 0x0b || (head.frame_encoding & 0x0f) == 0x03;
  if (head.version != 1 || !four_bytes || head.count_encoding != 0x03 || head.table_encoding != 0x3b)
    return NOT_SEARCHABLE;

  uintptr_t table = header + sizeof head;
  size_t count = (tables->header_bytes - sizeof head) / 8;
  if (head.count < count) count = head.count;
  if (table + count * 8 > source->high) return NOT_SEARCHABLE;

  intptr_t wanted = (intptr_t)(pc - header);
  size_t low = 0;
  while (count > 0) {
    size_t half = count / 2;
    int32_t start;
    if (!copy(source, table + (low + half) * 8, &start, sizeof start)) return NOT_DESCRIBED;
    if (start <= wanted) {
      low += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  if (low == 0) return NOT_DESCRIBED;
  int32_t offset;
  if (!copy(source, table + (low - 1) * 8 + 4, &offset, sizeof offset)) return NOT_DESCRIBED;
  *fde = header + (uintptr_t)(intptr_t)offset;
  return FOUND;
}

/* The same without a table: reads one description after the other. */
static enum found scan_fdes(const struct source *source, const struct mh_frame_tables *tables, uintptr_t pc,
                            uintptr_t *fde) {
  uint8_t fde_buffer[RECORD_BYTES], cie_buffer[RECORD_BYTES];
  uintptr_t at = tables->frames, end = at + tables->frames_bytes, last_cie = 0;
  struct mh_cursor c;
  struct mh_cie cie;
  for (size_t bytes; at < end && open_record(source, at, fde_buffer, &c); at += bytes) {
    uintptr_t body = at + sizeof(uint32_t);
    bytes = sizeof(uint32_t) + (size_t)(c.end - c.at);
    uint32_t back = mh_cursor_u32(&c);
    if (back == 0) continue; /* a CIE */
    if (last_cie != body - back) last_cie = read_cie(source, body - back, cie_buffer, &cie) ? body - back : 0;
    if (!last_cie) continue;
    uintptr_t start = mh_cursor_encoded(&c, cie.pointer_encoding);
    uintptr_t length = mh_cursor_encoded(&c, cie.pointer_encoding & 0x0f);
    if (c.bad || pc < start || pc - start >= length) continue;
    *fde = at;
    return FOUND;
  }
  return NOT_DESCRIBED;
}

/* ── The rule ──────────────────────────────────────────────────────────────────────────────────── */

/* The rule that the description at `fde` gives. `lookup`: the address that must be in the function. */
static uint64_t rule_of_fde(const struct source *source, uintptr_t fde, uintptr_t pc, uintptr_t lookup) {
  uint8_t fde_buffer[RECORD_BYTES], cie_buffer[RECORD_BYTES];
  struct mh_cursor c;
  struct mh_cie cie;
  if (!open_record(source, fde, fde_buffer, &c)) return MH_RULE_FALLBACK;
  uint32_t back = mh_cursor_u32(&c);
  if (!read_cie(source, fde + 4 - back, cie_buffer, &cie)) return MH_RULE_FALLBACK;
  uintptr_t start = mh_cursor_encoded(&c, cie.pointer_encoding);
  uintptr_t bytes = mh_cursor_encoded(&c, cie.pointer_encoding & 0x0f);
  if (cie.augmented) {
    uint64_t skip = mh_cursor_uleb(&c);
    if (skip > (uint64_t)(c.end - c.at)) return MH_RULE_FALLBACK;
    c.at += skip;
  }
  if (c.bad) return MH_RULE_FALLBACK;
  if (lookup < start || lookup - start >= bytes) return MH_RULE_LOST; /* between two functions that are described */

  struct mh_cfi_row row;
  if (!mh_cfi_run(&cie, &c, start, pc, lookup - start, &row)) return MH_RULE_FALLBACK;
  return mh_rule_pack(&row);
}

/* Memory between segments may not be readable. So each source is limited to one part. */
static struct source source_in(struct mh_part part, bool direct) {
  return (struct source){.low = part.low, .high = part.high, .direct = direct};
}

static uint64_t rule_in_module(const struct mh_frame_tables *tables, bool direct, uintptr_t pc, uintptr_t lookup) {
  struct source frames = source_in(tables->frames_part, direct), header = source_in(tables->header_part, direct);
  uintptr_t fde;
  switch (tables->header ? find_fde(&header, tables, lookup, &fde) : scan_fdes(&frames, tables, lookup, &fde)) {
    case FOUND: return rule_of_fde(&frames, fde, pc, lookup);
    case NOT_SEARCHABLE: return MH_RULE_FALLBACK;
    default: return MH_RULE_LOST;
  }
}

/* Whether the code at `pc` returns from a signal handler. Some C libraries and kernels have no frame information for
 * it, and under emulation it is in no module. So it is recognized by its instructions. */
static bool signal_return(uintptr_t pc) {
  uint8_t bytes[MH_SIGNAL_CODE_BYTES];
  return mh_peek(bytes, pc, sizeof bytes) && mh_is_signal_code(bytes);
}

/* Whether there is no call instruction in front of a return address. Then no call left it: it was written there as the
 * end of a new stack, for example by glibc's makecontext or Boost. */
static bool nobody_called(uintptr_t return_address) {
  uint8_t bytes[MH_CALL_BYTES];
  return mh_peek(bytes, return_address - sizeof bytes, sizeof bytes) && !mh_ends_with_call(bytes);
}

uint64_t mh_cfi_rule(uintptr_t pc, bool exact) {
  uintptr_t lookup = pc - !exact;
  const struct mh_module *module = mh_module_at(lookup);
  uint64_t rule = MH_RULE_LOST;
  if (module && (module->tables.header || module->tables.frames)) {
    __atomic_add_fetch(&readers, 1, __ATOMIC_SEQ_CST);
    rule = rule_in_module(&module->tables, !__atomic_load_n(&unloading, __ATOMIC_SEQ_CST), pc, lookup);
    __atomic_sub_fetch(&readers, 1, __ATOMIC_SEQ_CST);
  }
  if (mh_rule_kind(rule) == MH_RULE_END && signal_return(pc)) rule = MH_RULE_SIGNAL;
  if (rule == MH_RULE_LOST && module && !exact && nobody_called(pc)) rule = MH_RULE_END;
  return rule;
}
