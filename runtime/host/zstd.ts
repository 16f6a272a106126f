// zstd, which compressed sections of debug information may use. The runtime's own decoder is used if there is one, else
// (Node before 22.15) the reference decoder compiled to WebAssembly. That one is loaded only when something is
// compressed.

import zlib from "node:zlib";
import type { ZSTDDecoder } from "zstddec";

let decoder: ZSTDDecoder | undefined;

/** To be awaited before zstd() is called. */
export async function prepareZstd(): Promise<void> {
  if (zlib.zstdDecompressSync !== undefined || decoder !== undefined) return;
  const { ZSTDDecoder } = await import("zstddec");
  const starting = new ZSTDDecoder();
  await starting.init();
  decoder = starting;
}

/**
 * What the data decompress to, at most `plainBytes`. Throws, or gives another number of bytes, when they are damaged.
 */
export function zstd(data: Uint8Array, plainBytes: number): Uint8Array {
  if (zlib.zstdDecompressSync !== undefined) return zlib.zstdDecompressSync(data, { maxOutputLength: plainBytes });
  if (decoder === undefined) throw new Error("zstd is not prepared");
  return decoder.decode(data, plainBytes);
}
