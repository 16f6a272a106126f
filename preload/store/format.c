/* What is in the store; see format.h. */
#include "format.h"

uint8_t *mh_store;
uint8_t *mh_record_blocks[MH_BLOCK_MAX_COUNT];
uint8_t *mh_table_blocks[MH_KIND_COUNT][MH_TABLE_BLOCKS];

const uint32_t mh_element_bytes[MH_KIND_COUNT] = {
    [MH_KIND_RECORDS] = MH_RECORD_BYTES, [MH_KIND_STACKS] = MH_STACK_BYTES,   [MH_KIND_NODES] = MH_NODE_BYTES,
    [MH_KIND_FRAMES] = MH_FRAME_BYTES,   [MH_KIND_MODULES] = MH_MODULE_BYTES, [MH_KIND_STRINGS] = 1,
};
