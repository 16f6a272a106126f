// A recorded wire stream as text: one line for each frame, one indented line for each element in it. The frames go
// through memdb's decoder, so the dump also says where memdb would have ended the connection.
//
//     000000 HELLO version=1.0 nonce=1f…
//     000038 PROCESS pid=4242 exe=/usr/bin/app command=["app"]
//     000268 RECORDS
//              slot=1 address=0x7f0000001000 size=64 kind=heap time=5000000000 thread=4242 stack=1

import * as L from "../../asm/layout.js";
import { hex } from "../host/hex.js";
import { printable } from "../host/printable.js";
import { bytesOf, type Frame, FrameReader, frameName, readHello, readRefusal, WireError } from "./wire.js";
import { SessionImage } from "./wireimage.js";

const DATA = new Set([L.WIRE_PROCESS, L.WIRE_ELEMENTS, L.WIRE_RECORDS, L.WIRE_REMOVED, L.WIRE_HEADER, L.WIRE_COMMIT]);
const MEMORY = ["heap", "mmap", "custom"];

/**
 * Dumps a stream, chunk by chunk. A wrong stream ends with a line `error: …`,
 * and the error is what the generator returns.
 */
export function* dump(chunks: Iterable<Uint8Array>): Generator<string, WireError | undefined> {
  const reader = new FrameReader();
  const image = new SessionImage(4 * 1024 ** 3);
  let offset = 0;
  try {
    for (const chunk of chunks) {
      reader.push(chunk);
      for (let frame = reader.next(); frame; frame = reader.next()) {
        const { type, payload } = frame;
        yield `${offset.toString(16).padStart(6, "0")} ${frameName(type)}`;
        if (DATA.has(type)) {
          // Checked before it is shown: what is shown below relies on it.
          const at = payload.byteOffset - L.WIRE_FRAME_BYTES;
          image.feed(new Uint8Array(payload.buffer, at, L.WIRE_FRAME_BYTES + payload.byteLength), () => {});
        }
        yield* text(frame);
        offset += L.WIRE_FRAME_BYTES + payload.byteLength;
      }
    }
    if (reader.rest().length > 0)
      throw new WireError(L.WIRE_ERROR_LENGTH, `${reader.rest().length} bytes of a frame at the end`);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    yield `\nerror: ${error.message}\n`;
    return error;
  }
  return undefined;
}

function* text({ type, payload }: Frame): Generator<string> {
  const u16 = (at: number) => payload.getUint16(at, true);
  const u32 = (at: number) => payload.getUint32(at, true);
  const u64 = (at: number) => payload.getBigUint64(at, true);
  const need = (bytes: number) => {
    if (payload.byteLength < bytes) throw new WireError(L.WIRE_ERROR_LENGTH, `in ${frameName(type)}`);
  };
  switch (type) {
    case L.WIRE_HELLO: {
      const nonce = readHello(payload);
      yield ` version=${u16(L.WIRE_HELLO_VERSION_MAJOR)}.${u16(L.WIRE_HELLO_VERSION_MINOR)} nonce=${hex(nonce)}\n`;
      break;
    }
    case L.WIRE_CHALLENGE:
      need(L.WIRE_CHALLENGE_BYTES);
      yield ` scheme=${u32(L.WIRE_CHALLENGE_SCHEME)} ` +
        `nonce=${hex(bytesOf(payload, L.WIRE_CHALLENGE_NONCE, L.WIRE_NONCE_BYTES))}\n`;
      break;
    case L.WIRE_PROOF:
    case L.WIRE_ACCEPT:
      need(L.WIRE_MAC_BYTES);
      yield ` mac=${hex(bytesOf(payload, 0, L.WIRE_MAC_BYTES))}\n`;
      break;
    case L.WIRE_PROCESS: {
      const exe = u32(L.HEADER_EXE_LENGTH);
      const decode = (at: number, length: number) => new TextDecoder().decode(bytesOf(payload, at, length));
      const command = decode(L.WIRE_HEADER_BYTES + exe, u32(L.HEADER_COMMAND_LENGTH))
        .split("\0")
        .slice(0, -1);
      yield ` exe=${printable(decode(L.WIRE_HEADER_BYTES, exe))} ` +
        `command=${printable(JSON.stringify(command))}${header(u32, u64)}\n`;
      break;
    }
    case L.WIRE_HEADER:
      yield `${header(u32, u64)}\n`;
      break;
    case L.WIRE_ELEMENTS:
      yield* elements(payload, u32, u64);
      break;
    case L.WIRE_RECORDS:
      yield "\n";
      for (let at = 0; at < payload.byteLength; ) {
        const first = u32(at + L.WIRE_RUN_FIRST);
        const count = u32(at + L.WIRE_RUN_COUNT);
        at += L.WIRE_RUN_BYTES;
        for (let i = 0; i < count; i++, at += L.RECORD_BYTES) {
          const size = u64(at + L.RECORD_SIZE);
          const kind = Number(size >> BigInt(L.RECORD_KIND_SHIFT));
          yield `         slot=${first + i} address=0x${u64(at + L.RECORD_ADDRESS).toString(16)}`;
          yield ` size=${BigInt.asUintN(L.RECORD_KIND_SHIFT, size)} kind=${MEMORY[kind] ?? kind}`;
          yield ` time=${u64(at + L.RECORD_TIME)} thread=${u32(at + L.RECORD_THREAD)} ` +
            `stack=${u32(at + L.RECORD_STACK)}\n`;
        }
      }
      break;
    case L.WIRE_REMOVED: {
      const slots = [];
      for (let at = 0; at < payload.byteLength; at += 4) if (u32(at) !== 0) slots.push(u32(at));
      yield ` slots=${slots.join(",")}\n`;
      break;
    }
    case L.WIRE_COMMIT:
      yield ` sequence=${u64(L.WIRE_COMMIT_SEQUENCE)}${u32(L.WIRE_COMMIT_FLAGS) & L.WIRE_COMMIT_LAST ? " last" : ""}\n`;
      break;
    case L.WIRE_ACK:
      need(L.WIRE_ACK_BYTES);
      yield ` sequence=${u64(L.WIRE_ACK_SEQUENCE)}\n`;
      break;
    case L.WIRE_REFUSE: {
      need(L.WIRE_REFUSE_TEXT);
      const { code, text } = readRefusal(payload);
      yield ` code=${code} text=${printable(JSON.stringify(text))}\n`;
      break;
    }
    case L.WIRE_STATUS:
      yield "\n";
      break;
    case L.WIRE_STATUS_REPLY:
      yield ` ${printable(new TextDecoder().decode(bytesOf(payload, 0, payload.byteLength)).trimEnd())}\n`;
      break;
    default:
      throw new WireError(L.WIRE_ERROR_TYPE, String(type));
  }
}

type Read32 = (at: number) => number;
type Read64 = (at: number) => bigint;

function header(u32: Read32, u64: Read64): string {
  return [
    "",
    `pid=${u32(L.HEADER_PID)}`,
    `start=${u64(L.HEADER_PROCESS_START)}`,
    `dropped=${u64(L.HEADER_DROPPED)}`,
    `peak=${u64(L.HEADER_PEAK_BYTES)}`,
    `end=${u64(L.HEADER_END_TIME)}/${u32(L.HEADER_END_KIND)}/${u32(L.HEADER_END_STATUS)}`,
  ].join(" ");
}

interface Kind {
  name: string;
  bytes: number;
  fields(at: number, u32: Read32, u64: Read64): string;
}

const KINDS: Record<number, Kind> = {
  [L.KIND_STACKS]: {
    name: "stacks",
    bytes: L.STACK_BYTES,
    fields: (at, u32, u64) =>
      `node=${u32(at + L.STACK_NODE)} flags=${u32(at + L.STACK_FLAGS)}` +
      ` allocations=${u64(at + L.STACK_ALLOCATIONS)}/${u64(at + L.STACK_ALLOCATED_BYTES)}` +
      ` frees=${u64(at + L.STACK_FREES)}/${u64(at + L.STACK_FREED_BYTES)}` +
      ` temporaries=${u64(at + L.STACK_TEMPORARIES)} peak=${u64(at + L.STACK_PEAK_BYTES)}`,
  },
  [L.KIND_NODES]: {
    name: "nodes",
    bytes: L.NODE_BYTES,
    fields: (at, u32) => `parent=${u32(at + L.NODE_PARENT)} frame=${u32(at + L.NODE_FRAME)}`,
  },
  [L.KIND_FRAMES]: {
    name: "frames",
    bytes: L.FRAME_BYTES,
    fields: (at, u32, u64) =>
      `module=${u32(at + L.FRAME_MODULE)} offset=0x${u64(at + L.FRAME_OFFSET).toString(16)} ` +
      `flags=${u32(at + L.FRAME_FLAGS)}`,
  },
  [L.KIND_MODULES]: {
    name: "modules",
    bytes: L.MODULE_BYTES,
    fields: (at, u32, u64) =>
      `bias=0x${u64(at + L.MODULE_BIAS).toString(16)}` +
      ` range=0x${u64(at + L.MODULE_START).toString(16)}-0x${u64(at + L.MODULE_END).toString(16)}` +
      ` path=${u32(at + L.MODULE_PATH_OFFSET)}+${u32(at + L.MODULE_PATH_LENGTH)}` +
      ` build-id=${u32(at + L.MODULE_BUILD_ID_OFFSET)}+${u32(at + L.MODULE_BUILD_ID_LENGTH)}` +
      ` loaded=${u64(at + L.MODULE_LOADED)} unloaded=${u64(at + L.MODULE_UNLOADED)}` +
      ` generation=${u32(at + L.MODULE_GENERATION)} flags=${u32(at + L.MODULE_FLAGS)}`,
  },
  [L.WIRE_KIND_THREADS]: {
    name: "threads",
    bytes: L.THREAD_BYTES,
    fields: (at, u32, u64) =>
      `tid=${u32(at + L.THREAD_TID)} state=${u32(at + L.THREAD_STATE)}` +
      ` allocations=${u64(at + L.THREAD_ALLOCATIONS)}/${u64(at + L.THREAD_ALLOCATED_BYTES)}` +
      ` frees=${u64(at + L.THREAD_FREES)}/${u64(at + L.THREAD_FREED_BYTES)}`,
  },
  [L.WIRE_KIND_TIMELINE]: {
    name: "timeline",
    bytes: L.TIMELINE_BYTES,
    fields: (at, _u32, u64) =>
      `time=${u64(at + L.TIMELINE_TIME)} live=${u64(at + L.TIMELINE_LIVE_COUNT)}/${u64(at + L.TIMELINE_LIVE_BYTES)}` +
      ` allocations=${u64(at + L.TIMELINE_ALLOCATIONS)}`,
  },
};

function* elements(payload: DataView, u32: Read32, u64: Read64): Generator<string> {
  const kind = u32(L.WIRE_ELEMENTS_KIND);
  const first = u32(L.WIRE_ELEMENTS_FIRST);
  const count = u32(L.WIRE_ELEMENTS_COUNT);
  if (kind === L.KIND_STRINGS) {
    const bytes = bytesOf(payload, L.WIRE_ELEMENTS_DATA, count);
    // Byte by byte: a piece may begin or end inside a character.
    yield ` strings first=${first} ${printable(JSON.stringify(String.fromCharCode(...bytes.subarray(0, 4096))))}\n`;
    return;
  }
  const { name, bytes, fields } = KINDS[kind]!;
  yield ` ${name}\n`;
  for (let i = 0; i < count; i++)
    yield `         ${first + i}: ${fields(L.WIRE_ELEMENTS_DATA + i * bytes, u32, u64)}\n`;
}
