// The sorted addresses of a batch, and what happens to those that a range of code covers: they get a mark (when looking
// for the unit) or a call (when walking a unit's tree).

import { spend } from "./sections";

const MARKS: u32 = 0;
const CALLS: u32 = 1;

export class Queries {
  static addresses: usize = 0;
  static count: u32 = 0;
  /** Code below is code that the linker dropped: its addresses have become 0 plus something. */
  static lowestCode: u64 = 0;
  static mode: u32 = 0;
  /** What the queries get, one for each: a byte or a u32. */
  static out: usize = 0;
  /** The address of the call that covers them now. */
  static subject: usize = 0;
  /** Queries covered since it was set to 0. */
  static covered: u32 = 0;

  static forMarks(out: usize): void {
    Queries.mode = MARKS;
    Queries.out = out;
  }

  static forCalls(out: usize): void {
    Queries.mode = CALLS;
    Queries.out = out;
  }
}

/** The queries of the operations that follow: sorted u64 addresses, and the lowest address with code. */
export function setQueries(addresses: usize, count: u32, lowestCode: u64): void {
  Queries.addresses = addresses;
  Queries.count = count;
  Queries.lowestCode = lowestCode;
}

export function addressOf(query: u32): u64 {
  return load<u64>(Queries.addresses + query * 8);
}

/** The first query at or above an address; the number of queries if there is none. */
export function firstFrom(address: u64): u32 {
  let low: u32 = 0;
  let high: u32 = Queries.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (addressOf(middle) < address) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Does to every query from low to below high what this batch is about. */
export function cover(low: u64, high: u64): void {
  if (low < Queries.lowestCode) return;
  spend(1);
  for (let query = firstFrom(low); query < Queries.count && addressOf(query) < high; query++) {
    spend(1);
    Queries.covered++;
    if (Queries.mode == MARKS) {
      store<u8>(Queries.out + query, 1);
    } else {
      // Later entries are nearer: children come after their parents.
      store<u32>(Queries.out + query * 4, <u32>Queries.subject);
    }
  }
}
