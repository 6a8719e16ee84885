const UNITS: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** `850 ms`, `12 s`, `4 min`, `3 h`: one unit, as exact as anybody reads it. */
export function formatDuration(ms: number): string {
  const [size, unit] = unitOf(ms);
  return `${amount(ms, size)} ${unit}`;
}

/** `4 to 9 min`; `40 s to 3 min` where the units differ; `4 min` where both ends say the same. */
export function formatRange([low, high]: readonly [number, number]): string {
  const [from, to] = [formatDuration(low), formatDuration(high)];
  if (from === to) return from;
  const [size, unit] = unitOf(low);
  return unitOf(high)[1] === unit ? `${amount(low, size)} to ${to}` : `${from} to ${to}`;
}

function unitOf(ms: number): readonly [number, string] {
  // Two of a unit at least, apart from seconds: `90 s` says more than `1 min`.
  return UNITS.find(([size, unit]) => ms >= (unit === 's' ? size : 2 * size)) ?? [1, 'ms'];
}

function amount(ms: number, size: number): number {
  return Math.round(ms / size);
}
