// The part of Protocol Buffers that pprof needs: numbers, bytes and messages, written in the order of the calls.

const VARINT = 0;
const LENGTH = 2;

export class Message {
  #bytes = new Uint8Array(256);
  #length = 0;

  /** A number field; 0 is the default and left out. */
  number(field: number, value: number | bigint): void {
    if (value === 0 || value === 0n) return;
    this.#varint(field * 8 + VARINT);
    this.#value(value);
  }

  /** A repeated number field, packed: also zeros are written. */
  numbers(field: number, values: readonly number[]): void {
    const packed = new Message();
    for (const value of values) packed.#varint(value);
    this.message(field, packed);
  }

  text(field: number, text: string): void {
    this.#field(field, Buffer.from(text));
  }

  message(field: number, message: Message): void {
    this.#field(field, message.bytes());
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #field(field: number, bytes: Uint8Array): void {
    this.#varint(field * 8 + LENGTH);
    this.#varint(bytes.length);
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #value(value: number | bigint): void {
    if (typeof value === "number") {
      this.#varint(value);
      return;
    }
    this.#reserve(10);
    let left = value;
    for (; left > 127n; left >>= 7n) this.#bytes[this.#length++] = Number(left & 127n) | 128;
    this.#bytes[this.#length++] = Number(left);
  }

  /** A whole number from 0 up to 2^53. */
  #varint(value: number): void {
    this.#reserve(10);
    let left = value;
    for (; left > 127; left = Math.floor(left / 128)) this.#bytes[this.#length++] = (left % 128) | 128;
    this.#bytes[this.#length++] = left;
  }

  #reserve(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}
