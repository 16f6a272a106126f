/* Running the instructions of call frame information; see cfi_program.h. */
#include "cfi_program.h"

#include "cfi_expression.h"
#include "step.h"

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

/* The rule for a register; `unused` for a register that nobody needs. */
static struct mh_register_rule *register_rule(struct machine *m, struct state *state, uint64_t number,
                                              struct mh_register_rule *unused) {
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
static void run(struct machine *m, struct mh_cursor *c, const struct mh_cie *cie, uint64_t upto, uintptr_t function) {
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
        at = mh_cursor_encoded(c, cie->pointer_encoding) - function;
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

bool mh_cfi_run(struct mh_cie *cie, struct mh_cursor *instructions, uintptr_t function, uintptr_t pc, uint64_t upto,
                struct mh_cfi_row *row) {
  struct machine m;
  m.kept_count = 0;
  m.ra_register = cie->ra_register;
  m.pc = pc;
  m.now = (struct state){.cfa_register = ~0ull};
  m.initial = m.now;
  run(&m, &cie->instructions, cie, UINT64_MAX, function);
  m.initial = m.now;
  run(&m, instructions, cie, upto, function);
  if (cie->instructions.bad || instructions->bad) return false;
  finish(&m, cie->signal, row);
  return true;
}
