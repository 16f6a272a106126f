/* What the files of this test call in each other. */
#pragma once
#include <stdint.h>

/* Has the sender make its last flush. How many memdb has acknowledged; 0 without memdb. */
uint64_t races_end_sender(void);
