/* Keeping files of modules that may soon be gone, for the report of `memhook run`.
 *
 * A plugin may be removed as soon as it is loaded, and its program may end within a millisecond. So the library itself
 * must keep the file. `memhook run` makes a folder beside the store, app.mem.modules; without it, nothing is kept. A
 * file is copied there; a large one gets a second name there instead (a hard link, which changes the file's ctime).
 * That is done for files in a folder for temporary files, files that are newer than the run's start, and files without
 * a name.
 */
#pragma once
#include <stdbool.h>

struct mh_mapped_file;

/* Whether there is such a folder. */
extern bool mh_keeps;

/* To be called when the settings are known. */
void mh_keep_start(void);

/* Keeps a file that the program is about to load; `path` is the name that it gives the loader. */
void mh_keep_file(const char *path);

/* Keeps a loaded module's file. Called by one thread at a time. */
void mh_keep_module(const struct mh_mapped_file *first);
