// The errors that users of the library can expect: each message is one line that says what, which file and what to do.

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
