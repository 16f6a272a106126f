/* Messages, one line each, to the place that MEMHOOK_LOG names. Without MEMHOOK_LOG, memhook prints nothing in other
 * people's programs, except about a setting that it cannot understand. */
#pragma once
#include "text.h"

enum mh_log_target { MH_LOG_NONE, MH_LOG_STDERR, MH_LOG_FILE };

/* `path`: for MH_LOG_FILE, kept by reference. */
void mh_log_open(enum mh_log_target target, const char *path);

/* Writes "memhook: <parts…>\n" as one write. */
void mh_log(const char *first, const char *second, const char *third);

/* The same to stderr, whatever MEMHOOK_LOG says. */
void mh_complain(const char *line);
