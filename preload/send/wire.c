/* The wire's encoder; see wire.h. */
#include "wire.h"

#include "../base/sys.h"

#define ALIGN8(x) (((x) + 7) & ~(size_t)7)

_Static_assert(offsetof(struct mh_header, arrays) == MH_WIRE_HEADER_BYTES, "layout.ts: the header fields on the wire");

static void put32(uint8_t *at, uint32_t value) {
  __builtin_memcpy(at, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *at) {
  uint32_t value;
  __builtin_memcpy(&value, at, sizeof(value));
  return value;
}

/* Opens a frame with `payload` bytes, zeroed where padding may stay; NULL if there is no room. */
static uint8_t *frame(struct mh_wire *wire, uint32_t type, size_t payload) {
  mh_wire_finish(wire);
  size_t padded = ALIGN8(payload);
  if (wire->capacity - wire->length < MH_WIRE_FRAME_BYTES + padded) return NULL;
  uint8_t *at = wire->data + wire->length;
  put32(at + MH_WIRE_FRAME_LENGTH, (uint32_t)padded);
  put32(at + MH_WIRE_FRAME_TYPE, type);
  if (padded > payload) __builtin_memset(at + MH_WIRE_FRAME_BYTES + padded - 8, 0, 8);
  wire->length += MH_WIRE_FRAME_BYTES + padded;
  return at + MH_WIRE_FRAME_BYTES;
}

void mh_wire_finish(struct mh_wire *wire) {
  if (!wire->frame) return;
  uint8_t *at = wire->data + wire->frame - 1;
  size_t payload = wire->length - (wire->frame - 1) - MH_WIRE_FRAME_BYTES;
  if (payload % 8) {
    put32(wire->data + wire->length, 0);
    wire->length += 4;
    payload += 4;
  }
  put32(at + MH_WIRE_FRAME_LENGTH, (uint32_t)payload);
  wire->frame = wire->run = 0;
}

/* Copies memory that the program's threads may be changing, 8 bytes at a time. Memory that is not a multiple of 8 bytes
 * is never changed. */
static void copy_shared(void *target, const void *source, size_t bytes) {
  if (bytes % 8 || (uintptr_t)source % 8) {
    __builtin_memcpy(target, source, bytes);
    return;
  }
  const uint64_t *words = source;
  for (size_t i = 0; i < bytes / 8; i++) {
    uint64_t word = MH_GET(words[i]);
    __builtin_memcpy((uint8_t *)target + i * 8, &word, 8);
  }
}

bool mh_wire_hello(struct mh_wire *wire, const uint8_t nonce[MH_WIRE_NONCE_BYTES]) {
  uint8_t *at = frame(wire, MH_WIRE_HELLO, MH_WIRE_HELLO_BYTES);
  if (!at) return false;
  uint16_t version[2] = {MH_WIRE_VERSION_MAJOR, MH_WIRE_VERSION_MINOR};
  put32(at + MH_WIRE_HELLO_MAGIC, MH_WIRE_MAGIC_LOW);
  put32(at + MH_WIRE_HELLO_MAGIC + 4, MH_WIRE_MAGIC_HIGH);
  __builtin_memcpy(at + MH_WIRE_HELLO_VERSION_MAJOR, version, sizeof(version));
  put32(at + MH_WIRE_HELLO_RESERVED, 0);
  __builtin_memcpy(at + MH_WIRE_HELLO_NONCE, nonce, MH_WIRE_NONCE_BYTES);
  return true;
}

bool mh_wire_proof(struct mh_wire *wire, const uint8_t mac[MH_WIRE_MAC_BYTES]) {
  uint8_t *at = frame(wire, MH_WIRE_PROOF, MH_WIRE_PROOF_BYTES);
  if (!at) return false;
  __builtin_memcpy(at + MH_WIRE_PROOF_MAC, mac, MH_WIRE_MAC_BYTES);
  return true;
}

bool mh_wire_process(struct mh_wire *wire, const struct mh_header *header, const void *exe, const void *command) {
  size_t bytes = (size_t)header->exe_length + header->command_length;
  uint8_t *at = frame(wire, MH_WIRE_PROCESS, MH_WIRE_HEADER_BYTES + bytes);
  if (!at) return false;
  copy_shared(at, header, MH_WIRE_HEADER_BYTES);
  __builtin_memcpy(at + MH_WIRE_HEADER_BYTES, exe, header->exe_length);
  __builtin_memcpy(at + MH_WIRE_HEADER_BYTES + header->exe_length, command, header->command_length);
  return true;
}

bool mh_wire_header(struct mh_wire *wire, const struct mh_header *header) {
  uint8_t *at = frame(wire, MH_WIRE_HEADER, MH_WIRE_HEADER_BYTES);
  if (!at) return false;
  copy_shared(at, header, MH_WIRE_HEADER_BYTES);
  return true;
}

uint32_t mh_wire_elements(struct mh_wire *wire, uint32_t kind, uint32_t first, uint32_t count, uint32_t bytes,
                          const void *elements) {
  mh_wire_finish(wire);
  size_t room = wire->capacity - wire->length;
  if (room < MH_WIRE_FRAME_BYTES + MH_WIRE_ELEMENTS_DATA) return 0;
  room -= MH_WIRE_FRAME_BYTES;
  if (room > MH_WIRE_PAYLOAD_MAX) room = MH_WIRE_PAYLOAD_MAX;
  size_t most = ((room & ~(size_t)7) - MH_WIRE_ELEMENTS_DATA) / bytes;
  if (count > most) count = (uint32_t)most;
  if (!count) return 0;
  uint8_t *at = frame(wire, MH_WIRE_ELEMENTS, MH_WIRE_ELEMENTS_DATA + (size_t)count * bytes);
  put32(at + MH_WIRE_ELEMENTS_KIND, kind);
  put32(at + MH_WIRE_ELEMENTS_FIRST, first);
  put32(at + MH_WIRE_ELEMENTS_COUNT, count);
  put32(at + MH_WIRE_ELEMENTS_RESERVED, 0);
  copy_shared(at + MH_WIRE_ELEMENTS_DATA, elements, (size_t)count * bytes);
  return count;
}

/* Room for `bytes` more in the open frame of this type, or in a new one; NULL if there is none. */
static uint8_t *extend(struct mh_wire *wire, uint32_t type, size_t bytes) {
  if (wire->frame) {
    const uint8_t *open = wire->data + wire->frame - 1;
    size_t payload = wire->length - (wire->frame - 1) - MH_WIRE_FRAME_BYTES;
    if (get32(open + MH_WIRE_FRAME_TYPE) != type || payload + bytes > MH_WIRE_PAYLOAD_MAX) mh_wire_finish(wire);
  }
  /* 4 spare bytes, so that mh_wire_finish always has room for its padding. */
  size_t needed = bytes + 4 + (wire->frame ? 0 : MH_WIRE_FRAME_BYTES);
  if (wire->capacity - wire->length < needed) return NULL;
  if (!wire->frame) {
    wire->frame = wire->length + 1;
    put32(wire->data + wire->length + MH_WIRE_FRAME_TYPE, type);
    wire->length += MH_WIRE_FRAME_BYTES;
  }
  uint8_t *at = wire->data + wire->length;
  wire->length += bytes;
  return at;
}

bool mh_wire_record(struct mh_wire *wire, uint32_t slot, const struct mh_record *record) {
  size_t run_before = wire->run;
  bool neighbour = false;
  if (run_before) {
    const uint8_t *run = wire->data + run_before - 1;
    size_t payload = wire->length - (wire->frame - 1) - MH_WIRE_FRAME_BYTES;
    neighbour = get32(run + MH_WIRE_RUN_FIRST) + get32(run + MH_WIRE_RUN_COUNT) == slot &&
                payload + MH_RECORD_BYTES <= MH_WIRE_PAYLOAD_MAX;
  }
  uint8_t *at = extend(wire, MH_WIRE_RECORDS, MH_RECORD_BYTES + (neighbour ? 0 : MH_WIRE_RUN_BYTES));
  if (!at) return false;
  if (neighbour) {
    uint8_t *run = wire->data + run_before - 1;
    put32(run + MH_WIRE_RUN_COUNT, get32(run + MH_WIRE_RUN_COUNT) + 1);
  } else {
    put32(at + MH_WIRE_RUN_FIRST, slot);
    put32(at + MH_WIRE_RUN_COUNT, 1);
    wire->run = (size_t)(at - wire->data) + 1;
    at += MH_WIRE_RUN_BYTES;
  }
  __builtin_memcpy(at, record, MH_RECORD_BYTES);
  return true;
}

bool mh_wire_removed(struct mh_wire *wire, uint32_t slot) {
  uint8_t *at = extend(wire, MH_WIRE_REMOVED, sizeof(slot));
  if (!at) return false;
  put32(at, slot);
  return true;
}

bool mh_wire_commit(struct mh_wire *wire, uint64_t sequence, bool last) {
  uint8_t *at = frame(wire, MH_WIRE_COMMIT, MH_WIRE_COMMIT_BYTES);
  if (!at) return false;
  __builtin_memcpy(at + MH_WIRE_COMMIT_SEQUENCE, &sequence, sizeof(sequence));
  put32(at + MH_WIRE_COMMIT_FLAGS, last ? MH_WIRE_COMMIT_LAST : 0);
  put32(at + MH_WIRE_COMMIT_RESERVED, 0);
  return true;
}
