// The one definition of every record that memhook writes or reads.
//
// This file is three things at once: AssemblyScript (core.wasm imports it), TypeScript (runtime/ imports it), and the
// source of build/layout.h, which tools/layout-header.mjs generates for preload/. So it may contain only comments and
// lines of the form `export const NAME = 123;`, with plain integer values below 2^31. asm/FORMAT.md says what each
// field means, and `tools/check.mjs` compares the two. Everything is little-endian. A change here changes a format:
// raise its version.
//
// Naming: RECORD_FIELD is a byte offset inside the record, RECORD_BYTES is its size.

// ── Store: file ──────────────────────────────────────────────────────────────────────────────────
// A store is a sequence of 1 MiB blocks. Block 0 is the header block. Every other block belongs to one array, in the
// order in which the arrays grew.

// "MEMHOOK\n" as two little-endian words.
export const STORE_MAGIC_LOW = 0x484d454d;
export const STORE_MAGIC_HIGH = 0x0a4b4f4f;
export const STORE_VERSION_MAJOR = 1;
export const STORE_VERSION_MINOR = 5;
export const BLOCK_BYTES = 1048576;
export const BLOCK_MAX_COUNT = 65536;

// How many names a process can choose from for its store: NAME.EXT, NAME.PID.EXT, NAME.PID.2.EXT …; see
// runtime/stores/storenames.ts.
export const STORE_NAMES = 100;

// Regions of the header block.
export const HEADER_BYTES = 4096;
export const PROCESS_OFFSET = 4096;
export const PROCESS_BYTES = 28672;
export const TIMELINE_OFFSET = 32768;
export const TIMELINE_MAX_COUNT = 1024;
export const THREADS_OFFSET = 65536;
export const THREADS_MAX_COUNT = 1024;
export const BLOCK_TABLE_OFFSET = 262144;
export const BLOCK_TABLE_BYTES = 262144;

// ── Store: header page ───────────────────────────────────────────────────────────────────────────
export const HEADER_MAGIC = 0;
export const HEADER_VERSION_MAJOR = 8;
export const HEADER_VERSION_MINOR = 10;
export const HEADER_HEADER_BYTES = 12;
export const HEADER_BLOCK_BYTES = 16;
export const HEADER_POINTER_BYTES = 20;
export const HEADER_PID = 24;
export const HEADER_PARENT_PID = 28;
export const HEADER_PROCESS_START = 32;
export const HEADER_BOOT_ID = 40;
export const HEADER_START_WALL = 56;
export const HEADER_START_MONOTONIC = 64;
export const HEADER_END_TIME = 72;
export const HEADER_END_KIND = 80;
export const HEADER_END_STATUS = 84;
export const HEADER_SIZE_LIMIT = 88;
export const HEADER_COMMITTED_BYTES = 96;
export const HEADER_BLOCK_COUNT = 104;
export const HEADER_MACHINE = 108;
export const HEADER_WRITER = 112;
export const HEADER_FLAGS = 116;
export const HEADER_PAGE_BYTES = 120;
export const HEADER_DEPTH_LIMIT = 124;
export const HEADER_SAMPLE_BYTES = 128;
export const HEADER_PEAK_BYTES = 136;
export const HEADER_PEAK_TIME = 144;
export const HEADER_PID_NAMESPACE = 152;
export const HEADER_EXE_LENGTH = 160;
export const HEADER_COMMAND_LENGTH = 164;
export const HEADER_TIMELINE_COUNT = 168;
export const HEADER_THREAD_SLOTS = 172;
export const HEADER_TIMELINE_STEP = 176;
export const HEADER_UNWINDER = 184;
export const HEADER_PEAK_NUMBER = 188;
export const HEADER_END_NEWEST_PID = 192;
export const HEADER_UNUSED = 196;
export const HEADER_EXIT_TIME = 200;
export const HEADER_DROPPED = 256;
export const HEADER_DROPPED_BYTES = 264;
export const HEADER_START_BOOTTIME = 272;
export const HEADER_START_SUSPENDED = 280;
export const HEADER_SEEN_TIME = 288;
export const HEADER_SUSPENDED = 296;
export const HEADER_JUMP_COUNT = 304;
export const HEADER_JUMPS = 312;
export const HEADER_RESERVED_BYTES = 504;
export const HEADER_ARRAYS = 512;

// HEADER_END_KIND: how the process ended, where it could say so.
export const END_NONE = 0;
export const END_EXIT = 1;
export const END_IMMEDIATE_EXIT = 2;
export const END_EXEC = 3;

// HEADER_WRITER.
export const WRITER_PRELOAD = 1;
export const WRITER_MEMDB = 2;

// HEADER_FLAGS.
export const FLAG_SWITCHED_OFF = 1;
export const FLAG_BYPASSED = 2;

// HEADER_UNWINDER.
export const UNWINDER_LIBUNWIND = 1;
export const UNWINDER_DWARF = 2;
export const UNWINDER_FRAME_POINTER = 3;

// ── Store: jump of the wall clock, at HEADER_JUMPS ───────────────────────────────────────────────
export const JUMP_TIME = 0;
export const JUMP_WALL = 8;
export const JUMP_BYTES = 16;
export const JUMP_MAX_COUNT = 12;

// ── Store: array descriptor, at HEADER_ARRAYS + kind * ARRAY_BYTES ───────────────────────────────
export const ARRAY_COUNT = 0;
export const ARRAY_COMMITTED = 4;
export const ARRAY_BLOCKS = 8;
export const ARRAY_BYTES = 64;

// Array kinds; 0 means an unused block.
export const KIND_RECORDS = 1;
export const KIND_STACKS = 2;
export const KIND_NODES = 3;
export const KIND_FRAMES = 4;
export const KIND_MODULES = 5;
export const KIND_STRINGS = 6;
export const KIND_COUNT = 7;

// Block table entry: array kind in the top 8 bits, ordinal within that array below.
export const BLOCK_ENTRY_BYTES = 4;
export const BLOCK_ENTRY_KIND_SHIFT = 24;
export const BLOCK_ENTRY_ORDINAL_MASK = 0xffffff;

// ── Store: live record (array KIND_RECORDS) ──────────────────────────────────────────────────────
export const RECORD_ADDRESS = 0;
export const RECORD_SIZE = 8;
export const RECORD_TIME = 16;
export const RECORD_THREAD = 24;
export const RECORD_STACK = 28;
export const RECORD_BYTES = 32;

// RECORD_SIZE: the size in the low 56 bits, what kind of memory it is in the 7 above, and in the top bit of a record
// without an address, whether it was freed while the process was exiting.
export const RECORD_KIND_SHIFT = 56;
export const RECORD_FREED_IN_EXIT_SHIFT = 63;
export const MEMORY_HEAP = 0;
export const MEMORY_MMAP = 1;
export const MEMORY_CUSTOM = 2;

// ── Store: call stack and its totals (array KIND_STACKS) ─────────────────────────────────────────
export const STACK_NODE = 0;
export const STACK_FLAGS = 4;
export const STACK_ALLOCATIONS = 8;
export const STACK_ALLOCATED_BYTES = 16;
export const STACK_FREES = 24;
export const STACK_FREED_BYTES = 32;
export const STACK_TEMPORARIES = 40;
export const STACK_PEAK_BYTES = 48;
export const STACK_PEAK_NUMBER = 56;
export const STACK_RESERVED = 60;
export const STACK_BYTES = 64;

// STACK_FLAGS.
export const STACK_FLAG_CUT = 1;

// ── Store: stack node (array KIND_NODES) ─────────────────────────────────────────────────────────
export const NODE_PARENT = 0;
export const NODE_FRAME = 4;
export const NODE_BYTES = 8;

// ── Store: frame (array KIND_FRAMES) ─────────────────────────────────────────────────────────────
export const FRAME_OFFSET = 0;
export const FRAME_MODULE = 8;
export const FRAME_FLAGS = 12;
export const FRAME_BYTES = 16;

// FRAME_FLAGS.
export const FRAME_FLAG_EXACT = 1;
export const FRAME_FLAG_LOST = 2;

// ── Store: module (array KIND_MODULES) ───────────────────────────────────────────────────────────
export const MODULE_BIAS = 0;
export const MODULE_START = 8;
export const MODULE_END = 16;
export const MODULE_PATH_OFFSET = 24;
export const MODULE_PATH_LENGTH = 28;
export const MODULE_BUILD_ID_OFFSET = 32;
export const MODULE_BUILD_ID_LENGTH = 36;
export const MODULE_LOADED = 40;
export const MODULE_UNLOADED = 48;
export const MODULE_GENERATION = 56;
export const MODULE_FLAGS = 60;
export const MODULE_BYTES = 64;

// MODULE_FLAGS.
export const MODULE_FLAG_EXECUTABLE = 1;
export const MODULE_FLAG_VDSO = 2;
export const MODULE_FLAG_FILE = 4;

// ── Store: which file a module was (array KIND_STRINGS, behind its build id) ─────────────────────
export const FILE_DEVICE = 0;
export const FILE_INODE = 8;
export const FILE_SIZE = 16;
export const FILE_TIME = 24;
export const FILE_LAYOUT = 32;
export const FILE_BYTES = 40;

// ── Store: thread slot, at THREADS_OFFSET ────────────────────────────────────────────────────────
export const THREAD_TID = 0;
export const THREAD_STATE = 4;
export const THREAD_ALLOCATIONS = 8;
export const THREAD_ALLOCATED_BYTES = 16;
export const THREAD_FREES = 24;
export const THREAD_FREED_BYTES = 32;
export const THREAD_RESERVED = 40;
export const THREAD_BYTES = 128;

// THREAD_STATE.
export const THREAD_FREE = 0;
export const THREAD_LIVE = 1;
export const THREAD_SHARED = 2;

// ── Store: timeline entry, at TIMELINE_OFFSET ────────────────────────────────────────────────────
export const TIMELINE_TIME = 0;
export const TIMELINE_LIVE_BYTES = 8;
export const TIMELINE_LIVE_COUNT = 16;
export const TIMELINE_ALLOCATIONS = 24;
export const TIMELINE_BYTES = 32;

// ── Wire: library → memdb ────────────────────────────────────────────────────────────────────────
// Frames of a length, a type and a payload whose length is a multiple of 8.

// "MEMWIRE\n" as two little-endian words.
export const WIRE_MAGIC_LOW = 0x574d454d;
export const WIRE_MAGIC_HIGH = 0x0a455249;
export const WIRE_VERSION_MAJOR = 1;
export const WIRE_VERSION_MINOR = 0;

export const WIRE_FRAME_LENGTH = 0;
export const WIRE_FRAME_TYPE = 4;
export const WIRE_FRAME_BYTES = 8;

// Longest payload a sender may send.
export const WIRE_PAYLOAD_MAX = 262144;

// WIRE_FRAME_TYPE.
export const WIRE_HELLO = 1;
export const WIRE_CHALLENGE = 2;
export const WIRE_PROOF = 3;
export const WIRE_ACCEPT = 4;
export const WIRE_PROCESS = 5;
export const WIRE_ELEMENTS = 6;
export const WIRE_RECORDS = 7;
export const WIRE_REMOVED = 8;
export const WIRE_HEADER = 9;
export const WIRE_COMMIT = 10;
export const WIRE_ACK = 11;
export const WIRE_REFUSE = 12;
export const WIRE_STATUS = 13;
export const WIRE_STATUS_REPLY = 14;

// ── Wire: handshake ──────────────────────────────────────────────────────────────────────────────
export const WIRE_NONCE_BYTES = 32;
export const WIRE_MAC_BYTES = 32;

export const WIRE_HELLO_MAGIC = 0;
export const WIRE_HELLO_VERSION_MAJOR = 8;
export const WIRE_HELLO_VERSION_MINOR = 10;
export const WIRE_HELLO_RESERVED = 12;
export const WIRE_HELLO_NONCE = 16;
export const WIRE_HELLO_BYTES = 48;

export const WIRE_CHALLENGE_SCHEME = 0;
export const WIRE_CHALLENGE_RESERVED = 4;
export const WIRE_CHALLENGE_NONCE = 8;
export const WIRE_CHALLENGE_BYTES = 40;

// WIRE_CHALLENGE_SCHEME.
export const WIRE_SCHEME_NONE = 0;
export const WIRE_SCHEME_HMAC_SHA256 = 1;

export const WIRE_PROOF_MAC = 0;
export const WIRE_PROOF_BYTES = 32;

export const WIRE_ACCEPT_MAC = 0;
export const WIRE_ACCEPT_BYTES = 32;

export const WIRE_REFUSE_CODE = 0;
export const WIRE_REFUSE_LENGTH = 4;
export const WIRE_REFUSE_TEXT = 8;

// WIRE_REFUSE_CODE: why memdb ends a connection. There may be more of them in the same version: the text says why, too.
export const WIRE_ERROR_MAGIC = 1;
export const WIRE_ERROR_VERSION = 2;
export const WIRE_ERROR_LENGTH = 3;
export const WIRE_ERROR_TYPE = 4;
export const WIRE_ERROR_ORDER = 5;
export const WIRE_ERROR_REFERENCE = 6;
export const WIRE_ERROR_IDENTITY = 7;
export const WIRE_ERROR_TOKEN = 8;
export const WIRE_ERROR_LIMIT = 9;
export const WIRE_ERROR_TIMEOUT = 10;
export const WIRE_ERROR_REPLACED = 11;
export const WIRE_ERROR_CLOSING = 12;
export const WIRE_ERROR_VALUE = 13;
export const WIRE_ERROR_USER = 14;

// ── Wire: data ───────────────────────────────────────────────────────────────────────────────────
// WIRE_PROCESS and WIRE_HEADER carry the first bytes of the sender's header page.
export const WIRE_HEADER_BYTES = 512;

export const WIRE_ELEMENTS_KIND = 0;
export const WIRE_ELEMENTS_FIRST = 4;
export const WIRE_ELEMENTS_COUNT = 8;
export const WIRE_ELEMENTS_RESERVED = 12;
export const WIRE_ELEMENTS_DATA = 16;

// WIRE_ELEMENTS_KIND: an array kind other than KIND_RECORDS, or one of the header block's regions.
export const WIRE_KIND_THREADS = 7;
export const WIRE_KIND_TIMELINE = 8;

// A WIRE_RECORDS payload is runs of records in neighbouring slots; each run opens with this.
export const WIRE_RUN_FIRST = 0;
export const WIRE_RUN_COUNT = 4;
export const WIRE_RUN_BYTES = 8;

export const WIRE_COMMIT_SEQUENCE = 0;
export const WIRE_COMMIT_FLAGS = 8;
export const WIRE_COMMIT_RESERVED = 12;
export const WIRE_COMMIT_BYTES = 16;

// WIRE_COMMIT_FLAGS.
export const WIRE_COMMIT_LAST = 1;

export const WIRE_ACK_SEQUENCE = 0;
export const WIRE_ACK_BYTES = 8;
