/* Keeping files of modules that may soon be gone, for the report of `memhook run`.
 *
 * Nobody else is in time: a plugin may be removed as soon as it is loaded, and its program be over in a millisecond.
 * `memhook run` makes a folder beside the store, app.mem.modules; where there is none, nothing is kept. Into it goes
 * a copy of a file, or where that is large a second name of it (a hard link, which changes the file's time of
 * change): of what lies in a folder for temporary files, was put there since the run began, or has no name any more.
 */
#pragma once
#include <stdbool.h>

struct mh_maps_line;

/* Whether there is such a folder. */
extern bool mh_keeps;

/* To be called when the settings are known. */
void mh_keep_start(void);

/* A file that the program is about to load, by the name that it gives the loader. */
void mh_keep_file(const char *path);

/* A module that is loaded. Called by one thread at a time. */
void mh_keep_module(const struct mh_maps_line *first);
