// The errors that users of the library can expect. Each message is one line that says what is wrong, with which file,
// and what to do.

/** Why a file cannot be written, and what to do, in a phrase. */
export function whyNotWritten(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
      return "no such folder";
    case "ENOSPC":
    case "EDQUOT":
      return "no space is left there";
    case "EROFS":
      return "the file system is read-only";
    case "EACCES":
    case "EPERM":
      return "that is not allowed";
    case "EFBIG":
      return "files may not be so large: ulimit -f";
    case "EISDIR":
      return "it is a folder";
    default:
      return message;
  }
}

/** Why a store cannot be opened, and what to do, in a phrase. */
export function whyNotOpened(error: { code?: string | undefined; message: string }): string {
  switch (error.code) {
    case "ENOENT":
    case "ENOTDIR":
      return "no such file; start the program under memhook, or name its store";
    case "EACCES":
    case "EPERM":
      return "not allowed to read it; use the account that the program runs under";
    case "ENOTFILE":
      return "is not a regular file; name the store itself";
    default:
      return `cannot be opened (${error.message})`;
  }
}

/** A store that cannot be opened or read. */
export class StoreError extends Error {
  override name = "StoreError";
}

/** A snapshot that cannot be read or written. */
export class SnapshotError extends Error {
  override name = "SnapshotError";
}

/** A list of suppressions that cannot be read; the message names the line. */
export class SuppressionsError extends Error {
  override name = "SuppressionsError";
}

/** A program that cannot be run, or not under memhook. */
export class LaunchError extends Error {
  override name = "LaunchError";
}

/** A process that cannot be inspected. */
export class LookError extends Error {
  override name = "LookError";
}
