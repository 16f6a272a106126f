// The checksum in .gnu_debuglink: CRC-32 as in gzip, eight bytes at a time, since debug files are large.

// Eight tables of 256 words: table n advances a byte that n more bytes follow.
const tables = memory.data(8 * 256 * 4);
let ready: bool = false;

function prepare(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0xedb88320 : crc >> 1;
    store<u32>(tables + i * 4, crc);
  }
  for (let i: usize = 256; i < 8 * 256; i++) {
    const crc = load<u32>(tables + (i - 256) * 4);
    store<u32>(tables + i * 4, (crc >> 8) ^ load<u32>(tables + (crc & 0xff) * 4));
  }
  ready = true;
}

function entry(table: usize, byte: u32): u32 {
  return load<u32>(tables + table * 1024 + (byte & 0xff) * 4);
}

/** Goes on with a checksum (0 at first) over more bytes. */
export function crc32(p: usize, bytes: u32, crc: u32): u32 {
  if (!ready) prepare();
  crc = ~crc;
  for (; bytes >= 8; bytes -= 8, p += 8) {
    const low = load<u32>(p) ^ crc;
    const high = load<u32>(p, 4);
    crc =
      entry(7, low) ^
      entry(6, low >> 8) ^
      entry(5, low >> 16) ^
      entry(4, low >> 24) ^
      entry(3, high) ^
      entry(2, high >> 8) ^
      entry(1, high >> 16) ^
      entry(0, high >> 24);
  }
  for (; bytes > 0; bytes--, p++) crc = (crc >> 8) ^ entry(0, crc ^ load<u8>(p));
  return ~crc;
}
