// Collects many small pieces of output and writes them in fewer large ones.

const LEAST = 64 * 1024;

/** Texts together as bytes, some 64 KiB at a time; bytes as they are. */
export function* gathered(pieces: Iterable<string | Uint8Array>): Generator<Uint8Array> {
  let texts: string[] = [];
  let length = 0;
  for (const piece of pieces) {
    if (typeof piece === "string") {
      texts.push(piece);
      length += piece.length;
      if (length < LEAST) continue;
    }
    if (length > 0) yield Buffer.from(texts.join(""));
    texts = [];
    length = 0;
    if (typeof piece !== "string") yield piece;
  }
  if (length > 0) yield Buffer.from(texts.join(""));
}
