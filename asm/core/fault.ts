// What is wrong with a store, as a sentence that the host puts after the file's name.
//
// A check that fails reports it where it is made: `return damaged("there is no frame", id)`. The host sees FAILED and
// reads the text (UTF-16), its kind and the number. A fault does not end the module: it can be used again.

/** What a function returns when it has left a fault. */
export const FAILED: i32 = -1;

// Kinds of faults; the host knows what a user can do about each.
export const FAULT_UNSUPPORTED: i32 = 0;
export const FAULT_NEWER: i32 = 1;
export const FAULT_TRUNCATED: i32 = 2;
export const FAULT_DAMAGED: i32 = 3;
export const FAULT_TOO_MUCH: i32 = 4;

/** `detail` of a fault that has no number. */
const NO_NUMBER: u64 = u64.MAX_VALUE;

let kind: i32 = FAULT_UNSUPPORTED;
let text: string = "";
let number: u64 = NO_NUMBER;

function leave(newKind: i32, newText: string, newNumber: u64): i32 {
  kind = newKind;
  text = newText;
  number = newNumber;
  return FAILED;
}

export function unsupported(what: string): i32 {
  return leave(FAULT_UNSUPPORTED, what, NO_NUMBER);
}

export function newer(what: string, which: u64): i32 {
  return leave(FAULT_NEWER, what, which);
}

export function truncated(what: string, which: u64 = NO_NUMBER): i32 {
  return leave(FAULT_TRUNCATED, what, which);
}

export function damaged(what: string, which: u64 = NO_NUMBER): i32 {
  return leave(FAULT_DAMAGED, what, which);
}

export function tooMuch(what: string, which: u64 = NO_NUMBER): i32 {
  return leave(FAULT_TOO_MUCH, what, which);
}

export function faultKind(): i32 {
  return kind;
}

export function faultText(): usize {
  return changetype<usize>(text);
}

/** UTF-16 units of the text. */
export function faultTextLength(): i32 {
  return text.length;
}

/** The number that goes with the text, or 2^64−1. */
export function faultNumber(): u64 {
  return number;
}
