/* Claiming a path for this process's store. */
#pragma once

/* Opens an empty file for the store and returns its descriptor, or -1 with the reason in the log. The rules:
 *
 *   - nothing at the path, an old run's store, or one of this very process before an exec: ours, in a new file;
 *   - an empty file of this user's that nobody else can open: ours as it is;
 *   - a store of a living process, or of a dead one of this process's family (family.h), or whatever another user has
 *     put there: ours is stem.PID.ext, by the same rules, or stem.PID.2.ext …: MH_STORE_NAMES in all;
 *   - anything else of this user's (not a store, a folder, a link): never touched, and there is no store.
 *
 * A child of fork replaces no other process's store at all: what is at the path is its family's.
 *
 * `path` receives the absolute path that was claimed. Two processes that start at the same moment get two files. The
 * claim is complete, and the descriptor's lock given back, with mh_claim_done. */
int mh_claim(char *path, unsigned path_bytes);
void mh_claim_done(int fd);
