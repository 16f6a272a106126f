// Receives the data of an accepted socket straight into memory that the receiver provides.
//
// Node and Deno allocate 64 KiB for every piece that a socket reads, and leave it to the garbage collector. The page
// faults, marking and copying cost three times as much as reading. Their sockets have an option against this, `onread`,
// but only for sockets that connect. So an accepted socket's handle is moved into a new socket with that option. The
// handle is undocumented. Where it cannot be moved, as in Bun, the pieces are copied.

import { Socket, type SocketConstructorOpts } from "node:net";

export interface Receiver {
  /** Where the next bytes may go; not empty. Asked again after each call of received(). */
  room(): Uint8Array;
  /** So many bytes have come there. */
  received(bytes: number): void;
}

interface Handle {
  useUserBuffer?: unknown;
}

/**
 * Starts receiving; gives the socket to use from now on. The one given must have been accepted with `pauseOnConnect`.
 */
export function receive(accepted: Socket, receiver: Receiver): Socket {
  const holder = accepted as unknown as { _handle: Handle | null };
  const handle = holder._handle;
  if (typeof handle?.useUserBuffer !== "function") {
    accepted.on("data", (chunk: Uint8Array) => {
      copy(chunk, receiver);
      release(chunk);
    });
    return accepted.resume();
  }
  holder._handle = null;
  const onread = {
    buffer: () => receiver.room(),
    callback: (bytes: number) => {
      receiver.received(bytes);
      return true;
    },
  };
  const options = { handle, readable: true, writable: true, onread };
  return new Socket(options as unknown as SocketConstructorOpts).resume();
}

function copy(chunk: Uint8Array, receiver: Receiver): void {
  for (let at = 0; at < chunk.length; ) {
    const room = receiver.room();
    const piece = chunk.subarray(at, at + room.length);
    room.set(piece);
    receiver.received(piece.length);
    at += piece.length;
  }
}

/** Gives a piece's memory back now: the garbage collector would wait for many more of them. */
function release({ buffer, byteLength }: Uint8Array): void {
  if (byteLength === buffer.byteLength) (buffer as { transfer?(bytes: number): unknown }).transfer?.(0);
}
