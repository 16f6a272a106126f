// Sizes as people write them.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** "512 KiB", and nothing rounded: "1000 bytes", as in a setting. */
export function sizeName(bytes: number): string {
  let power = 0;
  while (power < UNITS.length - 1 && bytes !== 0 && bytes % 1024 ** (power + 1) === 0) power++;
  return `${bytes / 1024 ** power} ${UNITS[power]}`;
}
