/* Call frame information; see cfi.h. */
#include "cfi.h"

#include "cursor.h"
#include "../base/lock.h"
#include "../stacks/modules.h"
#include "../base/peek.h"
#include "unwind_rule.h"
#include "step.h"
#include "../base/sys.h"
#include "../threads/thread.h"

/* ── Reading a module's frame information ──────────────────────────────────────────────────────── */

/* Threads that read frame information directly, and modules being unloaded. Whoever adds itself to one looks at the
 * other afterwards, so at least one of the two sees the other. */
static uint32_t readers, unloading;

void mh_cfi_unloading(void) {
  __atomic_add_fetch(&unloading, 1, __ATOMIC_SEQ_CST);
  mh_tls.unloading++;
  /* A reader is done within microseconds. One that was stopped in the middle is not waited for. */
  for (unsigned turn = 0; turn < 1000 && __atomic_load_n(&readers, __ATOMIC_SEQ_CST); turn++)
    mh_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

void mh_cfi_unloaded(void) {
  mh_tls.unloading--;
  __atomic_sub_fetch(&unloading, 1, __ATOMIC_SEQ_CST);
}

void mh_cfi_inherit(void) {
  readers = 0;
  unloading = mh_tls.unloading;
}

/* The memory that may be read, and how. */
struct source {
  uintptr_t low, high;
  bool direct; /* false: through the kernel */
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

/* A pointer in one of the encodings of .eh_frame (DW_EH_PE). */
static uintptr_t encoded(struct mh_cursor *c, uint8_t encoding) {
  uintptr_t here = (uintptr_t)c->at + (uintptr_t)c->moved;
  uintptr_t value = 0;
  switch (encoding & 0x0f) {
    case 0x00:
    case 0x04:
    case 0x0c: value = mh_cursor_u64(c); break;
    case 0x01: value = mh_cursor_uleb(c); break;
    case 0x02: value = mh_cursor_u16(c); break;
    case 0x03: value = mh_cursor_u32(c); break;
    case 0x09: value = (uintptr_t)mh_cursor_sleb(c); break;
    case 0x0a: value = (uintptr_t)(int16_t)mh_cursor_u16(c); break;
    case 0x0b: value = (uintptr_t)(int32_t)mh_cursor_u32(c); break;
    default: c->bad = true;
  }
  if ((encoding & 0xf0) == 0x10)
    value += here;
  else if (encoding & 0xf0)
    c->bad = true; /* relative to something else, or indirect: not used for code addresses */
  return value;
}

/* ── What functions have in common ─────────────────────────────────────────────────────────────── */

struct cie {
  uint64_t code_align;
  int64_t data_align;
  uint64_t ra_register;
  uint8_t pointer_encoding;
  bool signal;
  bool augmented; /* the FDE has augmentation data to be skipped */
  struct mh_cursor instructions;
};

static bool read_cie(const struct source *source, uintptr_t address, uint8_t *buffer, struct cie *cie) {
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
  *cie = (struct cie){0};
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
          encoded(&c, encoding & 0x0f);
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
static enum found find_fde(const struct source *source, const struct mh_frame_tables *tables, uintptr_t pc, uintptr_t *fde) {
  uintptr_t header = tables->header;
  struct {
    uint8_t version, frame_encoding, count_encoding, table_encoding;
    int32_t frame;
    uint32_t count;
  } head;
  if (tables->header_bytes < sizeof head || !copy(source, header, &head, sizeof head)) return NOT_DESCRIBED;
  /* Four-byte offsets from the header are what every linker writes. */
  bool four_bytes = (head.frame_encoding & 0x0f) == 0x0b || (head.frame_encoding & 0x0f) == 0x03;
  if (head.version != 1 || !four_bytes || head.count_encoding != 0x03 || head.table_encoding != 0x3b) return NOT_SEARCHABLE;

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

/* The same without a table: looks at one description after the other. */
static enum found scan_fdes(const struct source *source, const struct mh_frame_tables *tables, uintptr_t pc, uintptr_t *fde) {
  uint8_t fde_buffer[RECORD_BYTES], cie_buffer[RECORD_BYTES];
  uintptr_t at = tables->frames, end = at + tables->frames_bytes, last_cie = 0;
  struct mh_cursor c;
  struct cie cie;
  for (size_t bytes; at < end && open_record(source, at, fde_buffer, &c); at += bytes) {
    uintptr_t body = at + sizeof(uint32_t);
    bytes = sizeof(uint32_t) + (size_t)(c.end - c.at);
    uint32_t back = mh_cursor_u32(&c);
    if (back == 0) continue; /* a CIE */
    if (last_cie != body - back) last_cie = read_cie(source, body - back, cie_buffer, &cie) ? body - back : 0;
    if (!last_cie) continue;
    uintptr_t start = encoded(&c, cie.pointer_encoding);
    uintptr_t length = encoded(&c, cie.pointer_encoding & 0x0f);
    if (c.bad || pc < start || pc - start >= length) continue;
    *fde = at;
    return FOUND;
  }
  return NOT_DESCRIBED;
}

/* ── Running the description up to a program counter ───────────────────────────────────────────── */

#define REMEMBERED 8

struct state {
  uint64_t cfa_register;
  int64_t cfa_offset;
  bool cfa_is_term, cfa_known;
  struct mh_term cfa_term;
  struct mh_register_rule sp, fp, ra;
};

struct machine {
  struct state now, initial, kept[REMEMBERED];
  unsigned kept_count;
  uint64_t ra_register;
  uintptr_t pc; /* as expressions see it */
};

/* The rule for a register, or a place to forget it in. */
static struct mh_register_rule *register_rule(struct machine *m, struct state *state, uint64_t number, struct mh_register_rule *unused) {
  if (number == m->ra_register) return &state->ra;
  if (number == MH_DWARF_FP) return &state->fp;
  if (number == MH_DWARF_SP) return &state->sp;
  return unused;
}

static void set(struct machine *m, uint64_t number, enum mh_how how, int64_t value) {
  struct mh_register_rule unused;
  *register_rule(m, &m->now, number, &unused) = (struct mh_register_rule){.how = how, .value = value};
}

static void restore(struct machine *m, uint64_t number) {
  struct mh_register_rule unused;
  *register_rule(m, &m->now, number, &unused) = *register_rule(m, &m->initial, number, &unused);
}

/* An expression: its length, then its bytes. `with_cfa` as in mh_cfi_expression. */
static bool read_term(struct machine *m, struct mh_cursor *c, bool with_cfa, struct mh_term *term) {
  uint64_t bytes = mh_cursor_uleb(c);
  if (bytes > (uint64_t)(c->end - c->at)) {
    c->bad = true;
    return false;
  }
  const uint8_t *expression = c->at;
  c->at += bytes;
  return mh_cfi_expression(expression, bytes, m->pc, with_cfa, term);
}

static void set_term(struct machine *m, struct mh_cursor *c, bool at) {
  uint64_t number = mh_cursor_uleb(c);
  struct mh_register_rule unused, *rule = register_rule(m, &m->now, number, &unused);
  *rule = (struct mh_register_rule){.how = at ? MH_HOW_AT_TERM : MH_HOW_OTHER};
  if (!read_term(m, c, true, &rule->term)) rule->how = MH_HOW_OTHER;
}

/* Runs instructions as long as they are about code at or before `upto`, an offset in the function. */
static void run(struct machine *m, struct mh_cursor *c, const struct cie *cie, uint64_t upto, uintptr_t function) {
  struct state *now = &m->now;
  uint64_t at = 0;
  while (c->at < c->end && !c->bad) {
    uint8_t op = mh_cursor_u8(c);
    switch (op & 0xc0) {
      case 0x40: /* advance_loc */
        at += (op & 0x3f) * cie->code_align;
        if (at > upto) return;
        continue;
      case 0x80: /* offset */
        set(m, op & 0x3f, MH_HOW_AT_CFA, (int64_t)mh_cursor_uleb(c) * cie->data_align);
        continue;
      case 0xc0: /* restore */
        restore(m, op & 0x3f);
        continue;
    }
    uint64_t number;
    switch (op) {
      case 0x00: break; /* nop */
      case 0x01:        /* set_loc */
        at = encoded(c, cie->pointer_encoding) - function;
        if (at > upto) return;
        break;
      case 0x02: /* advance_loc1, 2, 4 */
        at += mh_cursor_u8(c) * cie->code_align;
        if (at > upto) return;
        break;
      case 0x03:
        at += mh_cursor_u16(c) * cie->code_align;
        if (at > upto) return;
        break;
      case 0x04:
        at += mh_cursor_u32(c) * cie->code_align;
        if (at > upto) return;
        break;
      case 0x05: /* offset_extended */
        number = mh_cursor_uleb(c);
        set(m, number, MH_HOW_AT_CFA, (int64_t)mh_cursor_uleb(c) * cie->data_align);
        break;
      case 0x06: restore(m, mh_cursor_uleb(c)); break;
      case 0x07: set(m, mh_cursor_uleb(c), MH_HOW_UNDEFINED, 0); break;
      case 0x08: set(m, mh_cursor_uleb(c), MH_HOW_SAME, 0); break;
      case 0x09: { /* register */
        number = mh_cursor_uleb(c);
        uint64_t other = mh_cursor_uleb(c);
        set(m, number, other == number ? MH_HOW_SAME : MH_HOW_OTHER, 0);
        break;
      }
      case 0x0a: /* remember_state */
        if (m->kept_count == REMEMBERED) {
          c->bad = true;
          return;
        }
        m->kept[m->kept_count++] = *now;
        break;
      case 0x0b: /* restore_state */
        if (m->kept_count == 0) {
          c->bad = true;
          return;
        }
        *now = m->kept[--m->kept_count];
        break;
      case 0x0c: /* def_cfa */
        now->cfa_register = mh_cursor_uleb(c);
        now->cfa_offset = (int64_t)mh_cursor_uleb(c);
        now->cfa_is_term = false;
        break;
      case 0x0d:
        now->cfa_register = mh_cursor_uleb(c);
        now->cfa_is_term = false;
        break;
      case 0x0e: now->cfa_offset = (int64_t)mh_cursor_uleb(c); break;
      case 0x0f: /* def_cfa_expression */
        now->cfa_is_term = true;
        now->cfa_known = read_term(m, c, false, &now->cfa_term);
        break;
      case 0x10: set_term(m, c, true); break;
      case 0x11: /* offset_extended_sf */
        number = mh_cursor_uleb(c);
        set(m, number, MH_HOW_AT_CFA, mh_cursor_sleb(c) * cie->data_align);
        break;
      case 0x12: /* def_cfa_sf */
        now->cfa_register = mh_cursor_uleb(c);
        now->cfa_offset = mh_cursor_sleb(c) * cie->data_align;
        now->cfa_is_term = false;
        break;
      case 0x13: now->cfa_offset = mh_cursor_sleb(c) * cie->data_align; break;
      case 0x14: /* val_offset */
        number = mh_cursor_uleb(c);
        set(m, number, MH_HOW_IS_CFA, (int64_t)mh_cursor_uleb(c) * cie->data_align);
        break;
      case 0x15:
        number = mh_cursor_uleb(c);
        set(m, number, MH_HOW_IS_CFA, mh_cursor_sleb(c) * cie->data_align);
        break;
      case 0x16: set_term(m, c, false); break;
      case 0x2d: break; /* GNU_window_save; on aarch64 the return address is signed from here on, or no more */
      case 0x2e: mh_cursor_uleb(c); break; /* GNU_args_size */
      case 0x2f: /* GNU_negative_offset_extended */
        number = mh_cursor_uleb(c);
        set(m, number, MH_HOW_AT_CFA, -(int64_t)mh_cursor_uleb(c) * cie->data_align);
        break;
      default: c->bad = true;
    }
  }
}

static void finish(const struct machine *m, bool signal, struct mh_cfi_row *row) {
  const struct state *now = &m->now;
  *row = (struct mh_cfi_row){.known = true, .signal = signal, .sp = now->sp, .fp = now->fp, .ra = now->ra};
  if (now->cfa_is_term) {
    row->cfa = now->cfa_term;
    row->known = now->cfa_known;
  } else if (now->cfa_register == MH_DWARF_SP || now->cfa_register == MH_DWARF_FP) {
    row->cfa.base = now->cfa_register == MH_DWARF_SP ? MH_BASE_SP : MH_BASE_FP;
    row->cfa.add = now->cfa_offset;
  } else {
    row->known = false;
  }
}

/* ── The rule ───────────────────────────────────────────────────────────────────────────────────── */

/* The rule that the description at `fde` gives. `lookup`: the address that must be in the function. */
static uint64_t rule_of_fde(const struct source *source, uintptr_t fde, uintptr_t pc, uintptr_t lookup) {
  uint8_t fde_buffer[RECORD_BYTES], cie_buffer[RECORD_BYTES];
  struct mh_cursor c;
  struct cie cie;
  if (!open_record(source, fde, fde_buffer, &c)) return MH_RULE_FALLBACK;
  uint32_t back = mh_cursor_u32(&c);
  if (!read_cie(source, fde + 4 - back, cie_buffer, &cie)) return MH_RULE_FALLBACK;
  uintptr_t start = encoded(&c, cie.pointer_encoding);
  uintptr_t bytes = encoded(&c, cie.pointer_encoding & 0x0f);
  if (cie.augmented) {
    uint64_t skip = mh_cursor_uleb(&c);
    if (skip > (uint64_t)(c.end - c.at)) return MH_RULE_FALLBACK;
    c.at += skip;
  }
  if (c.bad) return MH_RULE_FALLBACK;
  if (lookup < start || lookup - start >= bytes) return MH_RULE_LOST; /* a gap between described functions */

  struct machine m;
  m.kept_count = 0;
  m.ra_register = cie.ra_register;
  m.pc = pc;
  m.now = (struct state){.cfa_register = ~0ull};
  m.initial = m.now;
  run(&m, &cie.instructions, &cie, UINT64_MAX, start);
  m.initial = m.now;
  run(&m, &c, &cie, lookup - start, start);
  if (cie.instructions.bad || c.bad) return MH_RULE_FALLBACK;
  struct mh_cfi_row row;
  finish(&m, cie.signal, &row);
  return mh_rule_pack(&row);
}

/* Holes between segments are not readable: what is read stays in the part that holds it. */
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

/* Some C libraries and kernels do not describe the code that returns from a signal handler, and under emulation it is in
 * no module: known by its instructions. */
static bool signal_return(uintptr_t pc) {
  uint8_t bytes[MH_SIGNAL_CODE_BYTES];
  return mh_peek(bytes, pc, sizeof bytes) && mh_is_signal_code(bytes);
}

/* Whether no call is in front of a return address: then it was put there, as the end of a stack that the program made, like glibc's makecontext or Boost. */
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
