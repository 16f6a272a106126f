/* Messages: one line each, to where MEMHOOK_LOG says. Without it memhook says nothing in other people's programs, but
 * for a setting that cannot be understood. */
#pragma once
#include "text.h"

enum mh_log_target { MH_LOG_NONE, MH_LOG_STDERR, MH_LOG_FILE };

/* `path`: for MH_LOG_FILE, kept by reference. */
void mh_log_open(enum mh_log_target target, const char *path);

/* Writes "memhook: <parts…>\n" as one write. */
void mh_log(const char *first, const char *second, const char *third);

/* The same to stderr, asked for or not. */
void mh_complain(const char *line);
