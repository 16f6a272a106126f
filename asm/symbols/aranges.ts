// .debug_aranges: which unit has code where. GCC writes a set for each unit; Clang and rustc write none.

import { DONE, SECTION_ARANGES, SET_COVERED, SET_NEXT, SET_UNIT } from "./layout";
import { record } from "./memory";
import { readLength, Unit } from "./present";
import { cover, Queries } from "./queries";
import { begin, fail, failed, sectionSize, seek, skip, tell, u8At, u16At, wordAt } from "./sections";

/**
 * Reads the set at an offset: marks the queries that it covers with 1, in
 * `out`, a byte for each. Leaves SET_* in the record area.
 */
export function arangesSet(offset: u64, out: usize): u32 {
  begin();
  const size = sectionSize(SECTION_ARANGES);
  seek(SECTION_ARANGES, offset, size);
  const end = readLength(size);
  if (failed == DONE) {
    const body = tell();
    seek(SECTION_ARANGES, body, end);
  }
  const version = u16At();
  const unit = wordAt(Unit.offsetBytes);
  const addressBytes = u8At();
  const segmentBytes = u8At();
  if (failed == DONE && (version != 2 || segmentBytes != 0 || (addressBytes != 4 && addressBytes != 8))) fail();
  if (failed == DONE) {
    // Pairs of an address and a length begin at a multiple of their size, counted from the set.
    const pair = <u64>addressBytes * 2;
    const over = (tell() - offset) % pair;
    if (over != 0) skip(pair - over);
  }
  Queries.forMarks(out);
  Queries.covered = 0;
  while (failed == DONE && tell() < end) {
    const low = wordAt(addressBytes);
    const length = wordAt(addressBytes);
    if (low == 0 && length == 0) break;
    if (failed == DONE) cover(low, low + length);
  }
  if (failed == DONE) {
    store<u64>(record, end, SET_NEXT);
    store<u64>(record, unit, SET_UNIT);
    store<u32>(record, Queries.covered, SET_COVERED);
  }
  return failed;
}
