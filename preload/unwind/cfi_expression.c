/* Expressions of call frame information; see cfi_expression.h. */
#include "cfi_expression.h"

#include "cursor.h"
#include "step.h"

#define DEPTH 16

struct stack {
  struct mh_term terms[DEPTH];
  unsigned count;
  bool bad;
};

static void push(struct stack *stack, struct mh_term term) {
  if (stack->count == DEPTH)
    stack->bad = true;
  else
    stack->terms[stack->count++] = term;
}

static void push_number(struct stack *stack, int64_t number) {
  push(stack, (struct mh_term){.add = number});
}

static struct mh_term pop(struct stack *stack) {
  if (stack->count) return stack->terms[--stack->count];
  stack->bad = true;
  return (struct mh_term){0};
}

static struct mh_term pick(struct stack *stack, unsigned depth) {
  if (depth < stack->count) return stack->terms[stack->count - 1 - depth];
  stack->bad = true;
  return (struct mh_term){0};
}

static int64_t pop_number(struct stack *stack) {
  struct mh_term term = pop(stack);
  if (term.base != MH_BASE_NONE) stack->bad = true;
  return term.add;
}

static void push_register(struct stack *stack, uint64_t number, int64_t offset, uintptr_t pc) {
  if (number == MH_DWARF_SP)
    push(stack, (struct mh_term){.base = MH_BASE_SP, .add = offset});
  else if (number == MH_DWARF_FP)
    push(stack, (struct mh_term){.base = MH_BASE_FP, .add = offset});
  else if (number == MH_DWARF_PC)
    push_number(stack, (int64_t)pc + offset);
  else
    stack->bad = true;
}

static void add(struct stack *stack) {
  struct mh_term b = pop(stack), a = pop(stack);
  if (a.base == MH_BASE_NONE) {
    struct mh_term swap = a;
    a = b;
    b = swap;
  }
  if (b.base != MH_BASE_NONE) stack->bad = true;
  a.add = (int64_t)((uint64_t)a.add + (uint64_t)b.add);
  push(stack, a);
}

static void load(struct stack *stack) {
  struct mh_term a = pop(stack);
  if (a.base == MH_BASE_NONE || a.loaded) stack->bad = true;
  push(stack, (struct mh_term){.base = a.base, .loaded = true, .from = a.add});
}

/* The operations on two numbers; neither may depend on a register. */
static void calculate(struct stack *stack, uint8_t operation) {
  int64_t b = pop_number(stack), a = pop_number(stack);
  uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
  switch (operation) {
    case 0x1a: push_number(stack, a & b); break;
    case 0x1e: push_number(stack, (int64_t)(ua * ub)); break;
    case 0x21: push_number(stack, a | b); break;
    case 0x24: push_number(stack, ub < 64 ? (int64_t)(ua << ub) : 0); break;
    case 0x25: push_number(stack, ub < 64 ? (int64_t)(ua >> ub) : 0); break;
    case 0x26: push_number(stack, a >> (ub < 64 ? ub : 63)); break;
    case 0x27: push_number(stack, a ^ b); break;
    case 0x29: push_number(stack, a == b); break;
    case 0x2a: push_number(stack, a >= b); break;
    case 0x2b: push_number(stack, a > b); break;
    case 0x2c: push_number(stack, a <= b); break;
    case 0x2d: push_number(stack, a < b); break;
    case 0x2e: push_number(stack, a != b); break;
    default: stack->bad = true;
  }
}

bool mh_cfi_expression(const uint8_t *expression, size_t bytes, uintptr_t pc, bool with_cfa, struct mh_term *result) {
  struct mh_cursor c = {.at = expression, .end = expression + bytes};
  struct stack stack = {.count = 0};
  if (with_cfa) push(&stack, (struct mh_term){.base = MH_BASE_CFA});
  while (c.at < c.end && !c.bad && !stack.bad) {
    uint8_t op = mh_cursor_u8(&c);
    if (op >= 0x30 && op <= 0x4f) { /* lit0 … lit31 */
      push_number(&stack, op - 0x30);
    } else if (op >= 0x70 && op <= 0x8f) { /* breg0 … breg31 */
      push_register(&stack, op - 0x70, mh_cursor_sleb(&c), pc);
    } else {
      switch (op) {
        case 0x06: load(&stack); break; /* deref */
        case 0x08: push_number(&stack, mh_cursor_u8(&c)); break;
        case 0x09: push_number(&stack, (int8_t)mh_cursor_u8(&c)); break;
        case 0x0a: push_number(&stack, mh_cursor_u16(&c)); break;
        case 0x0b: push_number(&stack, (int16_t)mh_cursor_u16(&c)); break;
        case 0x0c: push_number(&stack, mh_cursor_u32(&c)); break;
        case 0x0d: push_number(&stack, (int32_t)mh_cursor_u32(&c)); break;
        case 0x0e:
        case 0x0f: push_number(&stack, (int64_t)mh_cursor_u64(&c)); break;
        case 0x10: push_number(&stack, (int64_t)mh_cursor_uleb(&c)); break;
        case 0x11: push_number(&stack, mh_cursor_sleb(&c)); break;
        case 0x12: push(&stack, pick(&stack, 0)); break; /* dup */
        case 0x13: pop(&stack); break;                   /* drop */
        case 0x14: push(&stack, pick(&stack, 1)); break; /* over */
        case 0x15: push(&stack, pick(&stack, mh_cursor_u8(&c))); break;
        case 0x16: { /* swap */
          struct mh_term b = pop(&stack), a = pop(&stack);
          push(&stack, b);
          push(&stack, a);
          break;
        }
        case 0x1c: { /* minus */
          int64_t number = pop_number(&stack);
          push_number(&stack, (int64_t)(0 - (uint64_t)number));
          add(&stack);
          break;
        }
        case 0x1f: push_number(&stack, (int64_t)(0 - (uint64_t)pop_number(&stack))); break;
        case 0x20: push_number(&stack, ~pop_number(&stack)); break;
        case 0x22: add(&stack); break;
        case 0x23: /* plus_uconst */
          push_number(&stack, (int64_t)mh_cursor_uleb(&c));
          add(&stack);
          break;
        case 0x92: { /* bregx */
          uint64_t number = mh_cursor_uleb(&c);
          push_register(&stack, number, mh_cursor_sleb(&c), pc);
          break;
        }
        case 0x96: break; /* nop */
        default: calculate(&stack, op);
      }
    }
  }
  *result = pop(&stack);
  return !c.bad && !stack.bad;
}
