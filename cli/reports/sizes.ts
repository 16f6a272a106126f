// Sizes in a form for people.

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB"];

/** "512 KiB", and nothing rounded: "1000 bytes", as in a setting. */
export function sizeName(bytes: number): string {
  let power = 0;
  while (power < UNITS.length - 1 && bytes !== 0 && bytes % 1024 ** (power + 1) === 0) power++;
  return `${bytes / 1024 ** power} ${UNITS[power]}`;
}

/** "1.5 MiB", for people. */
export function humanSize(bytes: number): string {
  let power = 0;
  while (power < UNITS.length - 1 && bytes >= 1024 ** (power + 1)) power++;
  return power === 0 ? `${bytes} bytes` : `${(bytes / 1024 ** power).toFixed(1)} ${UNITS[power]}`;
}

/** "40 s", "5 min", "3 h 20 min", "2 d 7 h". */
export function humanAge(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [minute, hour, day] = [60, 3600, 86400];
  if (whole < minute) return `${whole} s`;
  if (whole < hour) return `${Math.floor(whole / minute)} min`;
  if (whole < day) return `${Math.floor(whole / hour)} h ${Math.floor((whole % hour) / minute)} min`;
  return `${Math.floor(whole / day)} d ${Math.floor((whole % day) / hour)} h`;
}
