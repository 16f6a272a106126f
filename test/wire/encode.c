/* Prints what the C encoder makes of a few fixed scenes, for wire.test.ts to compare with test/vectors/wire/.
 *
 *     encode handshake|session|pieces > stream
 *
 * `pieces` has no vector: it fills small and large buffers until they are full, and the test checks what arrived. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../preload/send/sha256.h"
#include "../../preload/send/wire.h"

static uint8_t buffer[MH_WIRE_BUFFER_BYTES];
static struct mh_wire wire = {.data = buffer, .capacity = sizeof(buffer)};

static void send(void) {
  mh_wire_finish(&wire);
  fwrite(wire.data, 1, wire.length, stdout);
  wire.length = 0;
}

static void check(bool fine, const char *what) {
  if (fine) return;
  fprintf(stderr, "encode: %s\n", what);
  exit(1);
}

static void handshake(void) {
  static const char token[] = "correct horse battery staple";
  uint8_t ours[MH_WIRE_NONCE_BYTES], theirs[MH_WIRE_NONCE_BYTES], mac[MH_WIRE_MAC_BYTES];
  for (int i = 0; i < MH_WIRE_NONCE_BYTES; i++) {
    ours[i] = (uint8_t)i;
    theirs[i] = (uint8_t)(255 - i);
  }
  struct mh_hmac_piece pieces[3] = {{"memhook sender", 14}, {theirs, sizeof(theirs)}, {ours, sizeof(ours)}};
  mh_hmac_sha256(token, sizeof(token) - 1, pieces, mac);
  check(mh_wire_hello(&wire, ours) && mh_wire_proof(&wire, mac), "no room for the handshake");
  send();
}

static struct mh_header header = {
    .magic = {MH_STORE_MAGIC_LOW, MH_STORE_MAGIC_HIGH},
    .version_major = MH_STORE_VERSION_MAJOR,
    .version_minor = MH_STORE_VERSION_MINOR,
    .header_bytes = MH_HEADER_BYTES,
    .block_bytes = MH_BLOCK_BYTES,
    .pointer_bytes = 8,
    .pid = 4242,
    .parent_pid = 1,
    .process_start = 123456,
    .boot_id = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .start_wall = 1772366400000000000,
    .start_monotonic = 1000000000,
    .size_limit = (uint64_t)8 << 30,
    .machine = 62,
    .writer = MH_WRITER_PRELOAD,
    .page_bytes = 4096,
    .depth_limit = 256,
    .pid_namespace = 4026531836,
    .exe_length = 12,
    .command_length = 7,
    .timeline_step = 1000000000,
    .unwinder = MH_UNWINDER_DWARF,
};

static struct mh_record record(uint64_t address, uint64_t size, uint64_t time, uint32_t stack) {
  return (struct mh_record){.address = address, .size = size, .time = time, .thread = 4242, .stack = stack};
}

static void session(void) {
  uint8_t nonce[MH_WIRE_NONCE_BYTES] = {0};
  check(mh_wire_hello(&wire, nonce), "hello");
  check(mh_wire_process(&wire, &header, "/usr/bin/app", "app\0-v"), "process");

  static const char path[] = "/usr/bin/app";
  static const uint8_t build_id[4] = {0xde, 0xad, 0xbe, 0xef};
  check(mh_wire_elements(&wire, MH_KIND_STRINGS, 1, 12, 1, path) == 12, "path");
  check(mh_wire_elements(&wire, MH_KIND_STRINGS, 13, 4, 1, build_id) == 4, "build id");
  struct mh_stored_module module = {.bias = 0x400000, .start = 0x400000, .end = 0x500000, .path_offset = 1,
                                    .path_length = 12, .build_id_offset = 13, .build_id_length = 4,
                                    .loaded = 5, .generation = 1, .flags = MH_MODULE_FLAG_EXECUTABLE};
  check(mh_wire_elements(&wire, MH_KIND_MODULES, 1, 1, sizeof(module), &module) == 1, "module");
  struct mh_frame frames[2] = {{.offset = 0x1234, .module = 1},
      {.offset = 0x7f0000002000, .flags = MH_FRAME_FLAG_EXACT}};
  check(mh_wire_elements(&wire, MH_KIND_FRAMES, 1, 2, sizeof(frames[0]), frames) == 2, "frames");
  struct mh_node nodes[3] = {{0, 1}, {1, 2}, {1, 1}};
  check(mh_wire_elements(&wire, MH_KIND_NODES, 1, 3, sizeof(nodes[0]), nodes) == 3, "nodes");
  struct mh_stack stacks[2] = {{.node = 2, .allocations = 4, .allocated_bytes = 4208, .frees = 1, .freed_bytes = 48,
                                .temporaries = 1, .peak_bytes = 4208},
                               {.node = 3, .flags = MH_STACK_FLAG_CUT, .allocations = 1, .allocated_bytes = 7}};
  check(mh_wire_elements(&wire, MH_KIND_STACKS, 1, 2, sizeof(stacks[0]), stacks) == 2, "stacks");

  /* A run of three neighbours, a slot on its own, and one that frees itself. */
  struct mh_record records[5] = {
      record(0x7f0000001000, 64, 5000000000, 1), record(0x7f0000001040, 0, 5000000001, 1),
      record(0x7f0000002000, 4096 | (uint64_t)MH_MEMORY_MMAP << MH_RECORD_KIND_SHIFT, 5000000002, 1),
      record(0x7f0000009000, 7 | (uint64_t)MH_MEMORY_CUSTOM << MH_RECORD_KIND_SHIFT, 5000000003, 2),
          record(0, 0, 0, 0)};
  const uint32_t slots[5] = {1, 2, 3, 40000, 40002};
  for (int i = 0; i < 5; i++) check(mh_wire_record(&wire, slots[i], &records[i]), "record");
  check(mh_wire_header(&wire, &header) && mh_wire_commit(&wire, 1, false), "commit");

  struct mh_record late = record(0x7f0000001040, 128, 7000000000, 0);
  check(mh_wire_record(&wire, 4, &late), "late record");
  const uint32_t gone[3] = {2, 40000, 5};
  for (int i = 0; i < 3; i++) check(mh_wire_removed(&wire, gone[i]), "removed");
  stacks[0].frees = 2;
  check(mh_wire_elements(&wire, MH_KIND_STACKS, 1, 1, sizeof(stacks[0]), stacks) == 1, "totals");
  module.unloaded = 6000000000;
  check(mh_wire_elements(&wire, MH_KIND_MODULES, 1, 1, sizeof(module), &module) == 1, "unload");
  struct mh_thread_slot thread = {.tid = 4242, .state = MH_THREAD_LIVE, .allocations = 6, .allocated_bytes = 4343,
      .frees = 3,
                                  .freed_bytes = 55};
  check(mh_wire_elements(&wire, MH_WIRE_KIND_THREADS, 1, 1, sizeof(thread), &thread) == 1, "thread");
  struct mh_timeline_entry entry = {.time = 1000000000, .live_bytes = 100, .live_count = 2, .allocations = 3};
  check(mh_wire_elements(&wire, MH_WIRE_KIND_TIMELINE, 0, 1, sizeof(entry), &entry) == 1, "timeline");
  header.timeline_count = 1;
  header.thread_slots = 2;
  header.dropped = 3;
  header.dropped_bytes = 300;
  header.peak_bytes = 4208;
  header.peak_time = 5000000003;
  header.end_time = 8000000000;
  header.end_kind = MH_END_EXIT;
  header.end_status = 9;
  check(mh_wire_header(&wire, &header) && mh_wire_commit(&wire, 2, true), "last commit");
  send();
}

/* 20,000 frames and records through every size of buffer, sending whenever it is full; 3 of 7 slots are gaps. */
static void pieces(void) {
  enum { COUNT = 20000 };
  static struct mh_frame frames[COUNT];
  uint8_t nonce[MH_WIRE_NONCE_BYTES] = {0};
  mh_wire_hello(&wire, nonce);
  mh_wire_process(&wire, &header, "/usr/bin/app", "app\0-v");
  send();
  for (uint32_t i = 0; i < COUNT; i++) frames[i].offset = i;
  wire.capacity = 600;
  for (uint32_t done = 0, more; done < COUNT; done += more) {
    more = mh_wire_elements(&wire, MH_KIND_FRAMES, 1 + done, COUNT - done, sizeof(frames[0]), frames + done);
    if (!more) send();
    /* From the smallest possible to the largest, in odd steps. */
    wire.capacity = wire.capacity * 2 > sizeof(buffer) ? 333 : wire.capacity * 2 + 1;
    if (wire.capacity < wire.length) wire.capacity = wire.length;
  }
  send();
  wire.capacity = 61;
  for (uint32_t i = 0; i < COUNT; i++) {
    uint32_t slot = 1 + i + i / 4 * 3;
    struct mh_record one = record(0x1000 + i * 16, i, i, 0);
    while (!mh_wire_record(&wire, slot, &one)) {
      check(wire.length > 0, "an empty buffer is full");
      send();
      wire.capacity = wire.capacity * 3 > sizeof(buffer) ? 61 : wire.capacity * 3;
    }
  }
  send();
  wire.capacity = 23;
  for (uint32_t i = 0; i < COUNT; i += 3)
    while (!mh_wire_removed(&wire, 1 + i + i / 4 * 3)) {
      check(wire.length > 0, "an empty buffer is full");
      send();
      wire.capacity = wire.capacity > 1000 ? 23 : wire.capacity + 1;
    }
  wire.capacity = sizeof(buffer);
  mh_wire_header(&wire, &header);
  mh_wire_commit(&wire, 1, true);
  send();
}

int main(int argc, char **argv) {
  const char *what = argc == 2 ? argv[1] : "";
  if (!strcmp(what, "handshake")) handshake();
  else if (!strcmp(what, "session")) session();
  else if (!strcmp(what, "pieces")) pieces();
  else return fprintf(stderr, "encode handshake|session|pieces\n"), 2;
  return 0;
}
