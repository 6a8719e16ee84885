/** `45 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`: a duration as a person says it. */
export function formatMs(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  const min = Math.floor(s / 60);
  if (min < 60) return s % 60 === 0 ? `${min} min` : `${min} min ${s % 60} s`;
  const h = Math.floor(min / 60);
  if (h < 48) return min % 60 === 0 ? `${h} h` : `${h} h ${min % 60} min`;
  return h % 24 === 0 ? `${h / 24} d` : `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** `1 connection`, `3 connections`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const UNITS: readonly (readonly [number, string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
];

/** `4 to 9 min`; `40 s to 3 min` where the units differ; `4 min` where both ends say the same. */
export function formatRange([low, high]: readonly [number, number]): string {
  const [fromSize, fromUnit] = unitOf(low);
  const [toSize, toUnit] = unitOf(high);
  const [from, to] = [Math.round(low / fromSize), Math.round(high / toSize)];
  if (fromUnit !== toUnit) return `${from} ${fromUnit} to ${to} ${toUnit}`;
  return from === to ? `${to} ${toUnit}` : `${from} to ${to} ${toUnit}`;
}

function unitOf(ms: number): readonly [number, string] {
  // Two of a unit at least, apart from seconds: `90 s to 4 min` says more than `1 to 4 min`.
  return UNITS.find(([size, unit]) => ms >= (unit === 's' ? size : 2 * size)) ?? [1, 'ms'];
}
