const UNITS: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** `850 ms`, `12 s`, `2.5 min`, `3 h`: one unit, as exact as anybody reads it. */
export function formatDuration(ms: number): string {
  const [size, unit] = unitOf(ms);
  const amount = ms / size;
  return `${amount < 10 && size > 1000 ? Number(amount.toFixed(1)) : Math.round(amount)} ${unit}`;
}

/** `4 to 9 min`; `40 s to 3 min` where the units differ; `4 min` where both ends say the same. */
export function formatRange([low, high]: readonly [number, number]): string {
  const [fromSize, fromUnit] = unitOf(low);
  const [toSize, toUnit] = unitOf(high);
  const [from, to] = [Math.round(low / fromSize), Math.round(high / toSize)];
  if (fromUnit !== toUnit) return `${from} ${fromUnit} to ${to} ${toUnit}`;
  return from === to ? `${to} ${toUnit}` : `${from} to ${to} ${toUnit}`;
}

function unitOf(ms: number): readonly [number, string] {
  // Two of a unit at least, apart from seconds: `90 s` says more than `1 min`.
  return UNITS.find(([size, unit]) => ms >= (unit === 's' ? size : 2 * size)) ?? [1, 'ms'];
}
