/* Lines of /proc/PID/maps; see maps.h. */
#include "maps.h"

#include <stddef.h>

#include "text.h"

/* "start-end perms offset major:minor inode   path" */
const char *mh_maps_parse(const char *text, struct mh_maps_line *line) {
  uint64_t major, minor;
  if (!mh_parse_hex(&text, &line->start) || *text++ != '-' || !mh_parse_hex(&text, &line->end) || *text++ != ' ')
    return NULL;
  line->executable = text[0] && text[1] && text[2] == 'x';
  for (int i = 0; i < 5; i++)
    if (!*text++) return NULL;
  if (!mh_parse_hex(&text, &line->offset) || *text++ != ' ' || !mh_parse_hex(&text, &major) || *text++ != ':' ||
      !mh_parse_hex(&text, &minor) || *text++ != ' ' || !mh_parse_number(&text, &line->inode))
    return NULL;
  line->device = major << 32 | minor;
  while (*text == ' ') text++;
  return text;
}
