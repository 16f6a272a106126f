/* Children of fork; see alive.h. */
#include "alive.h"

static struct mh_alive not_yet = {.own_store = 1};
struct mh_alive *mh_alive = &not_yet; /* until start.c has a page for it */
