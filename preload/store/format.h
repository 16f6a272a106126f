/* What is in the store, and where that is mapped. asm/FORMAT.md describes it; the structs here are pinned to
 * asm/layout.ts. What the elements mean is for records.c, intern.c and modules.c.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../base/debug.h"
#include "layout.h"

#define MH_PIN(type, field, offset) \
  _Static_assert(offsetof(struct type, field) == (offset), "layout.ts: " #type "." #field)

struct mh_array {
  uint32_t count;     /* elements published */
  uint32_t committed; /* elements that have backing */
  uint32_t blocks;
  uint32_t padding[13]; /* each array grows by itself: its own cache line */
};
MH_PIN(mh_array, count, MH_ARRAY_COUNT);
MH_PIN(mh_array, committed, MH_ARRAY_COMMITTED);
MH_PIN(mh_array, blocks, MH_ARRAY_BLOCKS);
_Static_assert(sizeof(struct mh_array) == MH_ARRAY_BYTES, "layout.ts: array descriptor");

/* How relative times relate to other clocks; see calendar.h. */
struct mh_jump {
  uint64_t time, wall;
};
struct mh_calendar {
  uint64_t start_boottime, start_suspended;
  uint64_t seen_time, suspended;
  uint64_t jump_count;
  struct mh_jump jumps[MH_JUMP_MAX_COUNT];
};
MH_PIN(mh_jump, time, MH_JUMP_TIME);
MH_PIN(mh_jump, wall, MH_JUMP_WALL);
_Static_assert(sizeof(struct mh_jump) == MH_JUMP_BYTES, "layout.ts: jump");

struct mh_header {
  uint32_t magic[2];
  uint16_t version_major, version_minor;
  uint32_t header_bytes, block_bytes, pointer_bytes;
  uint32_t pid, parent_pid;
  uint64_t process_start;
  uint8_t boot_id[16];
  uint64_t start_wall, start_monotonic;
  uint64_t end_time;
  uint32_t end_kind, end_status;
  uint64_t size_limit, committed_bytes;
  uint32_t block_count, machine, writer, flags, page_bytes, depth_limit;
  uint64_t sample_bytes, peak_bytes, peak_time, pid_namespace;
  uint32_t exe_length, command_length, timeline_count, thread_slots;
  uint64_t timeline_step;
  uint32_t unwinder, peak_number;
  uint32_t end_newest_pid, padding0;
  uint64_t exit_time;
  uint64_t padding1[6];
  uint64_t dropped, dropped_bytes;
  struct mh_calendar calendar;
  uint64_t reserved_bytes;
  struct mh_array arrays[MH_KIND_COUNT];
  uint8_t padding2[MH_HEADER_BYTES - MH_HEADER_ARRAYS - MH_KIND_COUNT * MH_ARRAY_BYTES];
};
MH_PIN(mh_header, magic, MH_HEADER_MAGIC);
MH_PIN(mh_header, version_major, MH_HEADER_VERSION_MAJOR);
MH_PIN(mh_header, version_minor, MH_HEADER_VERSION_MINOR);
MH_PIN(mh_header, header_bytes, MH_HEADER_HEADER_BYTES);
MH_PIN(mh_header, block_bytes, MH_HEADER_BLOCK_BYTES);
MH_PIN(mh_header, pointer_bytes, MH_HEADER_POINTER_BYTES);
MH_PIN(mh_header, pid, MH_HEADER_PID);
MH_PIN(mh_header, parent_pid, MH_HEADER_PARENT_PID);
MH_PIN(mh_header, process_start, MH_HEADER_PROCESS_START);
MH_PIN(mh_header, boot_id, MH_HEADER_BOOT_ID);
MH_PIN(mh_header, start_wall, MH_HEADER_START_WALL);
MH_PIN(mh_header, start_monotonic, MH_HEADER_START_MONOTONIC);
MH_PIN(mh_header, end_time, MH_HEADER_END_TIME);
MH_PIN(mh_header, end_kind, MH_HEADER_END_KIND);
MH_PIN(mh_header, end_status, MH_HEADER_END_STATUS);
MH_PIN(mh_header, size_limit, MH_HEADER_SIZE_LIMIT);
MH_PIN(mh_header, committed_bytes, MH_HEADER_COMMITTED_BYTES);
MH_PIN(mh_header, block_count, MH_HEADER_BLOCK_COUNT);
MH_PIN(mh_header, machine, MH_HEADER_MACHINE);
MH_PIN(mh_header, writer, MH_HEADER_WRITER);
MH_PIN(mh_header, flags, MH_HEADER_FLAGS);
MH_PIN(mh_header, page_bytes, MH_HEADER_PAGE_BYTES);
MH_PIN(mh_header, depth_limit, MH_HEADER_DEPTH_LIMIT);
MH_PIN(mh_header, sample_bytes, MH_HEADER_SAMPLE_BYTES);
MH_PIN(mh_header, peak_bytes, MH_HEADER_PEAK_BYTES);
MH_PIN(mh_header, peak_time, MH_HEADER_PEAK_TIME);
MH_PIN(mh_header, pid_namespace, MH_HEADER_PID_NAMESPACE);
MH_PIN(mh_header, exe_length, MH_HEADER_EXE_LENGTH);
MH_PIN(mh_header, command_length, MH_HEADER_COMMAND_LENGTH);
MH_PIN(mh_header, timeline_count, MH_HEADER_TIMELINE_COUNT);
MH_PIN(mh_header, thread_slots, MH_HEADER_THREAD_SLOTS);
MH_PIN(mh_header, timeline_step, MH_HEADER_TIMELINE_STEP);
MH_PIN(mh_header, unwinder, MH_HEADER_UNWINDER);
MH_PIN(mh_header, peak_number, MH_HEADER_PEAK_NUMBER);
MH_PIN(mh_header, end_newest_pid, MH_HEADER_END_NEWEST_PID);
MH_PIN(mh_header, exit_time, MH_HEADER_EXIT_TIME);
MH_PIN(mh_header, reserved_bytes, MH_HEADER_RESERVED_BYTES);
MH_PIN(mh_header, dropped, MH_HEADER_DROPPED);
MH_PIN(mh_header, dropped_bytes, MH_HEADER_DROPPED_BYTES);
MH_PIN(mh_header, calendar.start_boottime, MH_HEADER_START_BOOTTIME);
MH_PIN(mh_header, calendar.start_suspended, MH_HEADER_START_SUSPENDED);
MH_PIN(mh_header, calendar.seen_time, MH_HEADER_SEEN_TIME);
MH_PIN(mh_header, calendar.suspended, MH_HEADER_SUSPENDED);
MH_PIN(mh_header, calendar.jump_count, MH_HEADER_JUMP_COUNT);
MH_PIN(mh_header, calendar.jumps, MH_HEADER_JUMPS);
MH_PIN(mh_header, arrays, MH_HEADER_ARRAYS);
_Static_assert(sizeof(struct mh_header) == MH_HEADER_BYTES, "layout.ts: header");

struct mh_record {
  uint64_t address, size, time;
  uint32_t thread, stack;
};
MH_PIN(mh_record, address, MH_RECORD_ADDRESS);
MH_PIN(mh_record, size, MH_RECORD_SIZE);
MH_PIN(mh_record, time, MH_RECORD_TIME);
MH_PIN(mh_record, thread, MH_RECORD_THREAD);
MH_PIN(mh_record, stack, MH_RECORD_STACK);
_Static_assert(sizeof(struct mh_record) == MH_RECORD_BYTES, "layout.ts: record");

struct mh_stack {
  uint32_t node, flags;
  uint64_t allocations, allocated_bytes, frees, freed_bytes, temporaries, peak_bytes;
  uint32_t peak_number, reserved;
};
MH_PIN(mh_stack, node, MH_STACK_NODE);
MH_PIN(mh_stack, flags, MH_STACK_FLAGS);
MH_PIN(mh_stack, allocations, MH_STACK_ALLOCATIONS);
MH_PIN(mh_stack, allocated_bytes, MH_STACK_ALLOCATED_BYTES);
MH_PIN(mh_stack, frees, MH_STACK_FREES);
MH_PIN(mh_stack, freed_bytes, MH_STACK_FREED_BYTES);
MH_PIN(mh_stack, temporaries, MH_STACK_TEMPORARIES);
MH_PIN(mh_stack, peak_bytes, MH_STACK_PEAK_BYTES);
MH_PIN(mh_stack, peak_number, MH_STACK_PEAK_NUMBER);
MH_PIN(mh_stack, reserved, MH_STACK_RESERVED);
_Static_assert(sizeof(struct mh_stack) == MH_STACK_BYTES, "layout.ts: stack");

struct mh_node {
  uint32_t parent, frame;
};
MH_PIN(mh_node, parent, MH_NODE_PARENT);
MH_PIN(mh_node, frame, MH_NODE_FRAME);
_Static_assert(sizeof(struct mh_node) == MH_NODE_BYTES, "layout.ts: node");

struct mh_frame {
  uint64_t offset;
  uint32_t module, flags;
};
MH_PIN(mh_frame, offset, MH_FRAME_OFFSET);
MH_PIN(mh_frame, module, MH_FRAME_MODULE);
MH_PIN(mh_frame, flags, MH_FRAME_FLAGS);
_Static_assert(sizeof(struct mh_frame) == MH_FRAME_BYTES, "layout.ts: frame");

struct mh_stored_module {
  uint64_t bias, start, end;
  uint32_t path_offset, path_length, build_id_offset, build_id_length;
  uint64_t loaded, unloaded;
  uint32_t generation, flags;
};
MH_PIN(mh_stored_module, bias, MH_MODULE_BIAS);
MH_PIN(mh_stored_module, start, MH_MODULE_START);
MH_PIN(mh_stored_module, end, MH_MODULE_END);
MH_PIN(mh_stored_module, path_offset, MH_MODULE_PATH_OFFSET);
MH_PIN(mh_stored_module, path_length, MH_MODULE_PATH_LENGTH);
MH_PIN(mh_stored_module, build_id_offset, MH_MODULE_BUILD_ID_OFFSET);
MH_PIN(mh_stored_module, build_id_length, MH_MODULE_BUILD_ID_LENGTH);
MH_PIN(mh_stored_module, loaded, MH_MODULE_LOADED);
MH_PIN(mh_stored_module, unloaded, MH_MODULE_UNLOADED);
MH_PIN(mh_stored_module, generation, MH_MODULE_GENERATION);
MH_PIN(mh_stored_module, flags, MH_MODULE_FLAGS);
_Static_assert(sizeof(struct mh_stored_module) == MH_MODULE_BYTES, "layout.ts: module");

struct mh_stored_file {
  uint64_t device, inode, size, time, layout;
};
MH_PIN(mh_stored_file, device, MH_FILE_DEVICE);
MH_PIN(mh_stored_file, inode, MH_FILE_INODE);
MH_PIN(mh_stored_file, size, MH_FILE_SIZE);
MH_PIN(mh_stored_file, time, MH_FILE_TIME);
MH_PIN(mh_stored_file, layout, MH_FILE_LAYOUT);
_Static_assert(sizeof(struct mh_stored_file) == MH_FILE_BYTES, "layout.ts: file");

struct mh_thread_slot {
  uint32_t tid, state;
  uint64_t allocations, allocated_bytes, frees, freed_bytes;
  uint8_t reserved[88];
};
MH_PIN(mh_thread_slot, tid, MH_THREAD_TID);
MH_PIN(mh_thread_slot, state, MH_THREAD_STATE);
MH_PIN(mh_thread_slot, allocations, MH_THREAD_ALLOCATIONS);
MH_PIN(mh_thread_slot, allocated_bytes, MH_THREAD_ALLOCATED_BYTES);
MH_PIN(mh_thread_slot, frees, MH_THREAD_FREES);
MH_PIN(mh_thread_slot, freed_bytes, MH_THREAD_FREED_BYTES);
_Static_assert(sizeof(struct mh_thread_slot) == MH_THREAD_BYTES, "layout.ts: thread slot");

struct mh_timeline_entry {
  uint64_t time, live_bytes, live_count, allocations;
};
MH_PIN(mh_timeline_entry, time, MH_TIMELINE_TIME);
MH_PIN(mh_timeline_entry, live_bytes, MH_TIMELINE_LIVE_BYTES);
MH_PIN(mh_timeline_entry, live_count, MH_TIMELINE_LIVE_COUNT);
MH_PIN(mh_timeline_entry, allocations, MH_TIMELINE_ALLOCATIONS);
_Static_assert(sizeof(struct mh_timeline_entry) == MH_TIMELINE_BYTES, "layout.ts: timeline entry");

/* The header block, mapped; NULL while there is no store. */
extern uint8_t *mh_store;

static inline struct mh_header *mh_header(void) {
  return (struct mh_header *)mh_store;
}
static inline struct mh_thread_slot *mh_thread_slots(void) {
  return (struct mh_thread_slot *)(mh_store + MH_THREADS_OFFSET);
}
static inline struct mh_timeline_entry *mh_timeline(void) {
  return (struct mh_timeline_entry *)(mh_store + MH_TIMELINE_OFFSET);
}

/* Where each array's blocks are mapped; [kind][ordinal]. */
#define MH_TABLE_BLOCKS 4096
extern uint8_t *mh_record_blocks[MH_BLOCK_MAX_COUNT];
extern uint8_t *mh_table_blocks[MH_KIND_COUNT][MH_TABLE_BLOCKS];

static inline struct mh_record *mh_record(uint32_t index) {
  enum { PER_BLOCK = MH_BLOCK_BYTES / MH_RECORD_BYTES };
  MH_ASSERT(index < mh_header()->arrays[MH_KIND_RECORDS].count);
  return (struct mh_record *)mh_record_blocks[index / PER_BLOCK] + index % PER_BLOCK;
}
static inline uint64_t mh_record_size(const struct mh_record *record) {
  return record->size & (((uint64_t)1 << MH_RECORD_KIND_SHIFT) - 1);
}
#define MH_ELEMENT(type, kind, bytes, index) \
  ((struct type *)mh_table_blocks[kind][(index) / (MH_BLOCK_BYTES / (bytes))] + (index) % (MH_BLOCK_BYTES / (bytes)))
static inline struct mh_stack *mh_stack(uint32_t index) {
  return MH_ELEMENT(mh_stack, MH_KIND_STACKS, MH_STACK_BYTES, index);
}
static inline struct mh_node *mh_node(uint32_t index) {
  return MH_ELEMENT(mh_node, MH_KIND_NODES, MH_NODE_BYTES, index);
}
static inline struct mh_frame *mh_frame(uint32_t index) {
  return MH_ELEMENT(mh_frame, MH_KIND_FRAMES, MH_FRAME_BYTES, index);
}
static inline struct mh_stored_module *mh_stored_module(uint32_t index) {
  return MH_ELEMENT(mh_stored_module, MH_KIND_MODULES, MH_MODULE_BYTES, index);
}

/* Bytes of an element. */
extern const uint32_t mh_element_bytes[MH_KIND_COUNT];
