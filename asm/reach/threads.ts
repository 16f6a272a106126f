// Threads of glibc, including ended ones, recognised by their descriptors: the first word and the third are the
// descriptor's own address, and between them is a pointer to something else.

import { INPUT } from "./memory";

/** The first descriptor in the `count` bytes at INPUT, which are those at `address`, from `from` on; 0 of none. */
export function threadAt(address: u64, count: u32, from: u64): u64 {
  for (let at = (max(from, address) + 15) & ~15; at + 24 <= address + count; at += 16) {
    const word = INPUT + <usize>(at - address);
    if (load<u64>(word) != at || load<u64>(word, 16) != at) continue;
    const between = load<u64>(word, 8);
    if (between != at && between > 0xffff) return at;
  }
  return 0;
}
