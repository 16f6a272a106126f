// Memory of symbols.wasm: a stack of bytes above the static data, which the host empties between files.
//
//   0            heapBase            top
//   │ static data │ reservations … │ free, grown on demand
//
// Nothing is freed individually; `release(mark)` drops everything reserved since the mark was taken.

let top: usize = (__heap_base + 15) & ~(<usize>15);

/** 16-byte aligned address of `bytes` bytes of any content, or 0 when there is no more memory. */
export function reserve(bytes: u32): usize {
  const start = top;
  const end = <u64>start + <u64>bytes;
  const limit = (<u64>(<u32>memory.size())) << 16;
  if (end > limit) {
    if (end > 0xffff0000) return 0;
    // Grow by an eighth at least, so that many small reservations do not mean many new views in the host.
    const wanted = max<u64>(end - limit, limit >> 3);
    const pages = <i32>((wanted + 0xffff) >> 16);
    if (memory.grow(pages) < 0 && memory.grow(<i32>((end - limit + 0xffff) >> 16)) < 0) return 0;
  }
  top = <usize>((end + 15) & ~(<u64>15));
  return start;
}

/** The present top, for release(). */
export function mark(): usize {
  return top;
}

export function release(to: usize): void {
  top = to;
}

/** Where operations with one small answer leave it. */
export const record = memory.data(256);

export function recordAddress(): usize {
  return record;
}
