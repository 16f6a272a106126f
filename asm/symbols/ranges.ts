// Which addresses an entry covers: a low and a high address, a list in .debug_ranges (up to DWARF 4) or one in
// .debug_rnglists (DWARF 5).

import { IS_ADDRESS, IS_ADDRESS_INDEX, IS_LIST_INDEX, IS_NUMBER, IS_OTHER, indexedAddress } from "./forms";
import { DONE, SECTION_RANGES, SECTION_RNGLISTS } from "./layout";
import { Unit } from "./present";
import { cover } from "./queries";
import { fail, failed, sectionSize, seek, spend, tell, u8At, uleb, wordAt } from "./sections";

/** Covers the addresses of an entry, given what its attributes low_pc, high_pc and ranges are. Moves the cursor. */
export function coverRanges(lowKind: u32, low: u64, highKind: u32, high: u64, rangesKind: u32, ranges: u64): void {
  if (rangesKind == IS_LIST_INDEX || (rangesKind == IS_NUMBER && Unit.version == 5)) {
    let offset = ranges;
    if (rangesKind == IS_LIST_INDEX) {
      if (ranges > 0xffffffff) return fail();
      seek(SECTION_RNGLISTS, Unit.listsBase + ranges * Unit.offsetBytes, sectionSize(SECTION_RNGLISTS));
      offset = Unit.listsBase + wordAt(Unit.offsetBytes);
    }
    coverList(offset);
  } else if (rangesKind == IS_NUMBER) {
    coverOldList(ranges + Unit.rangesBase);
  } else if (lowKind != IS_OTHER && highKind != IS_OTHER) {
    if (lowKind == IS_ADDRESS_INDEX) low = indexedAddress(low);
    if (highKind == IS_ADDRESS_INDEX) high = indexedAddress(high);
    else if (highKind != IS_ADDRESS) high += low;
    if (failed == DONE) cover(low, high);
  }
}

function coverOldList(offset: u64): void {
  seek(SECTION_RANGES, offset, sectionSize(SECTION_RANGES));
  const newBase: u64 = Unit.addressBytes == 8 ? ~(<u64>0) : 0xffffffff;
  let base = Unit.lowPc;
  while (failed == DONE) {
    spend(1);
    const low = wordAt(Unit.addressBytes);
    const high = wordAt(Unit.addressBytes);
    if (low == 0 && high == 0) break;
    if (low == newBase) base = high;
    else if (failed == DONE) cover(base + low, base + high);
  }
}

function coverList(offset: u64): void {
  const size = sectionSize(SECTION_RNGLISTS);
  seek(SECTION_RNGLISTS, offset, size);
  let base = Unit.lowPc;
  while (failed == DONE) {
    spend(1);
    let low: u64 = 0;
    let high: u64 = 0;
    const kind = u8At();
    switch (kind) {
      case 0: // end_of_list
        return;
      case 1: // base_addressx
      case 2: // startx_endx
      case 3: {
        // startx_length
        const first = uleb();
        const second = kind == 1 ? 0 : uleb();
        const back = tell();
        if (failed != DONE) return;
        low = indexedAddress(first);
        if (kind == 2) high = indexedAddress(second);
        else high = low + second;
        if (kind == 1) base = low;
        seek(SECTION_RNGLISTS, back, size);
        if (kind == 1) continue;
        break;
      }
      case 4: // offset_pair
        low = base + uleb();
        high = base + uleb();
        break;
      case 5: // base_address
        base = wordAt(Unit.addressBytes);
        continue;
      case 6: // start_end
        low = wordAt(Unit.addressBytes);
        high = wordAt(Unit.addressBytes);
        break;
      case 7: // start_length
        low = wordAt(Unit.addressBytes);
        high = low + uleb();
        break;
      default:
        return fail();
    }
    if (failed == DONE) cover(low, high);
  }
}
