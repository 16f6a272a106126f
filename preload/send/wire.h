/* The wire's encoder: writes a sender's messages as frames (asm/FORMAT.md, "Wire") into the caller's buffer. It does
 * not allocate, does no I/O, and has no state but the buffer.
 *
 *     struct mh_wire wire = {.data = buffer, .capacity = sizeof(buffer)};
 *     while (!mh_wire_record(&wire, slot, &record)) send_and_clear(&wire);
 *     mh_wire_finish(&wire);
 *     send_and_clear(&wire);
 *
 * A function that returns false had no room, and changed nothing: send the buffer, set `length` to 0, and call again. A
 * buffer of MH_WIRE_BUFFER_BYTES has room for any single frame.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layout.h"
#include "../store/store.h"

#define MH_WIRE_BUFFER_BYTES (MH_WIRE_FRAME_BYTES + MH_WIRE_PAYLOAD_MAX)

struct mh_wire {
  uint8_t *data;
  size_t capacity, length;
  /* The frame that mh_wire_record or mh_wire_removed is filling: offset + 1 of its start, 0 if none; and of its last
   * run. */
  size_t frame, run;
};

/* Completes the frame to which records or removals are being added. To be called before the buffer is sent. */
void mh_wire_finish(struct mh_wire *wire);

bool mh_wire_hello(struct mh_wire *wire, const uint8_t nonce[MH_WIRE_NONCE_BYTES]);
bool mh_wire_proof(struct mh_wire *wire, const uint8_t mac[MH_WIRE_MAC_BYTES]);

/* Who the process is: its header, executable path and command line. */
bool mh_wire_process(struct mh_wire *wire, const struct mh_header *header, const void *exe, const void *command);
bool mh_wire_header(struct mh_wire *wire, const struct mh_header *header);

/* As many of `count` elements, `bytes` each, as fit into the buffer and one frame; returns how many. */
uint32_t mh_wire_elements(struct mh_wire *wire, uint32_t kind, uint32_t first, uint32_t count, uint32_t bytes,
                          const void *elements);

/* One record, or one slot that is free now. Neighbours share a run and a frame. */
bool mh_wire_record(struct mh_wire *wire, uint32_t slot, const struct mh_record *record);
bool mh_wire_removed(struct mh_wire *wire, uint32_t slot);

bool mh_wire_commit(struct mh_wire *wire, uint64_t sequence, bool last);
