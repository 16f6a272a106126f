// Mutations of limits and sandboxes: see tools/mutations.mjs.

/** @type {import("../mutations.mjs").Mutation[]} */
export const LIMITS = [
  [
    "growth stays below RLIMIT_FSIZE",
    "store.c",
    "if (limit.rlim_cur != RLIM_INFINITY && offset + bytes > limit.rlim_cur)\n    return false;",
    "",
    "limits",
    "limited.c fsize",
  ],
  [
    "a descriptor is looked at before it is used",
    "store.c",
    "if (file.fd >= 0 && mh_fstat(file.fd, &now) == 0 && now.st_ino == file.inode && now.st_dev == file.device)",
    "(void)now;\n  if (file.fd >= 0)",
    "limits",
    "descriptors.c reuse",
  ],
  [
    "the store's descriptor is a high one",
    "claim.c",
    "    if (high >= 0) {",
    "    if (high >= 0 && high < 0) {",
    "limits",
    "descriptors.c low",
  ],
  [
    "the file system is asked before a page is touched",
    "store.c",
    "if (fd >= 0 && !ask_for_bytes(fd, offset, bytes)) return false;",
    "if (fd >= 0 && offset == UINT64_MAX && !ask_for_bytes(fd, offset, bytes)) return false;",
    "limits",
    "a full file system",
  ],
  [
    "a sandbox that was there before is known",
    "seccomp.c",
    "    mh_syscall_forbidden = beyond_loader;\n    return true;",
    "    return false;",
    "limits",
    "filtered.c loader",
  ],
  [
    "the sender's thread does not end where that kills",
    "sender.c",
    "while (mh_syscall_forbidden && ",
    "while (mh_syscall_forbidden && !leave[0] && ",
    "limits",
    "sandboxed.c threads, with memdb",
  ],
  [
    "filters are asked before a call of ours",
    "seccomp.c",
    "mh_syscall_forbidden = forbidden;",
    "mh_syscall_forbidden = NULL;",
    "limits",
    "sandboxed.c",
  ],
];
