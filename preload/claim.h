/* Claiming a path for this process's store. */
#pragma once

/* Opens an empty file for the store and returns its descriptor, or -1 with the reason in the log. The rules:
 *
 *   - nothing at the path, or a store whose owner is dead, or this very process before an exec: ours;
 *   - a store of a living process: ours is stem.PID.ext, by the same rules;
 *   - anything else (not a store, a folder, a link): never touched.
 *
 * `path` receives the absolute path that was claimed. Two processes that start at the same moment get two files.
 * The claim is complete, and the descriptor's lock given back, with mh_claim_done. */
int mh_claim(char *path, unsigned path_bytes);
void mh_claim_done(int fd);
