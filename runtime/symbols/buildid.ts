// The build id among the notes of an ELF file. The notes are read one by one, because there may be many, and they may
// be larger than any buffer. The library reads them in the same way (preload/stacks/image.c): what it does not take for
// a build id is none here either.

const NT_GNU_BUILD_ID = 3;
/** "GNU" and a NUL. */
const GNU = 0x00554e47;
const HEAD_BYTES = 12;
const MOST_NOTES = 1024;
export const MOST_BUILD_ID_BYTES = 64;

/** Fills a buffer from an offset in the file; false if the file ends before. */
type Read = (target: Uint8Array, offset: number) => boolean;

/** @param align what notes are padded to: 8, or else 4 */
export function buildIdIn(read: Read, offset: number, size: number, align: number): Uint8Array | null {
  const unit = align === 8 ? 8 : 4;
  const padded = (bytes: number) => Math.ceil(bytes / unit) * unit;
  const note = new DataView(new ArrayBuffer(HEAD_BYTES + 4));
  for (let turn = 0, at = 0; turn < MOST_NOTES && size - at >= HEAD_BYTES; turn++) {
    const left = size - at;
    const named = left >= note.byteLength;
    if (!read(new Uint8Array(note.buffer, 0, named ? note.byteLength : HEAD_BYTES), offset + at)) return null;
    const [nameBytes, idBytes, type] = [0, 4, 8].map((field) => note.getUint32(field, true)) as [
      number,
      number,
      number,
    ];
    const content = padded(HEAD_BYTES + nameBytes);
    if (content > left || idBytes > left - content) return null;
    const isId = named && type === NT_GNU_BUILD_ID && nameBytes === 4 && note.getUint32(HEAD_BYTES, true) === GNU;
    if (isId && idBytes > 0 && idBytes <= MOST_BUILD_ID_BYTES) {
      const id = new Uint8Array(idBytes);
      return read(id, offset + at + content) ? id : null;
    }
    at += padded(content + idBytes);
  }
  return null;
}
