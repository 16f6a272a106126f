// The messages between memhook-look and memview; look/README.md says what each field means.
//
// As asm/layout.ts, this is AssemblyScript, TypeScript, and the source of build/look.h, which tools/layout-header.mjs
// makes. Both sides are of one build, so there is no version. Frames: a length, a type, and a payload of so many bytes.
// Little-endian.

export const LOOK_FRAME_LENGTH = 0;
export const LOOK_FRAME_TYPE = 4;
export const LOOK_FRAME_BYTES = 8;
// The longest payload.
export const LOOK_PAYLOAD_MAX = 1048576;

// LOOK_FRAME_TYPE, from memhook-look.
export const LOOK_REFUSED = 1;
export const LOOK_FROZEN = 2;
export const LOOK_TASK = 3;
export const LOOK_MAPPING = 4;
export const LOOK_READY = 5;
export const LOOK_DATA = 6;
export const LOOK_END = 7;
export const LOOK_RELEASED = 8;

// LOOK_FRAME_TYPE, to memhook-look.
export const LOOK_READ = 16;
export const LOOK_RELEASE = 17;

export const FROZEN_METHOD = 0;
export const FROZEN_TASKS = 4;
export const FROZEN_PAUSE = 8;
export const FROZEN_BYTES = 16;

// FROZEN_METHOD.
export const METHOD_SNAPSHOT = 1;
export const METHOD_STOP = 2;

export const TASK_TID = 0;
export const TASK_RESERVED = 4;
export const TASK_STACK_POINTER = 8;
export const TASK_THREAD_POINTER = 16;
export const TASK_PROGRAM_COUNTER = 24;
export const TASK_REGISTERS = 32;

export const MAPPING_START = 0;
export const MAPPING_END = 8;
export const MAPPING_OFFSET = 16;
export const MAPPING_DEVICE = 24;
export const MAPPING_INODE = 32;
export const MAPPING_FLAGS = 40;
export const MAPPING_PATH = 48;

// MAPPING_FLAGS.
export const MAPPING_READABLE = 1;
export const MAPPING_WRITABLE = 2;
export const MAPPING_EXECUTABLE = 4;
export const MAPPING_SHARED = 8;
export const MAPPING_DEVICE_MEMORY = 16;
export const MAPPING_NOT_FORKED = 32;
export const MAPPING_UNRESERVED = 64;

export const READ_ADDRESS = 0;
export const READ_LENGTH = 8;
export const READ_FLAGS = 16;
export const READ_BYTES = 24;

// READ_FLAGS.
export const READ_PRIVATE = 1;
export const READ_LIVE = 2;
export const READ_WHOLE = 4;

export const DATA_ADDRESS = 0;
export const DATA_CONTENTS = 8;

export const RELEASED_PAUSE = 0;
export const RELEASED_BYTES = 8;
