/* Claiming a path for this process's store. */
#pragma once

/* Opens an empty file for the store and returns its descriptor, or -1 with the reason in the log. The rules:
 *
 *   - nothing at the path, an old run's store, or one of this very process before an exec: ours, in a new file;
 *   - an empty file of this user that nobody else can open: ours as it is;
 *   - a store of a living process, or of a dead one of this process's family (family.h), or any file of another user:
 *     ours is stem.PID.ext, by the same rules, or stem.PID.2.ext …: MH_STORE_NAMES in all;
 *   - anything else of this user (not a store, a folder, a link): never touched, and there is no store.
 *
 * A child of fork replaces no other process's store: the store at the path is its family's.
 *
 * `path` receives the absolute path that was claimed. Two processes that start at the same moment get two files.
 * mh_claim_done completes the claim and releases the file's lock. */
int mh_claim(char *path, unsigned path_bytes);
void mh_claim_done(int fd);
