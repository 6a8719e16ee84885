/** The value below which `share` of the sorted values lie. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function sort(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

export function median(values: readonly number[]): number {
  const sorted = sort(values);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export interface Estimate {
  readonly median: number;
  /** Between these the true median lies with 95 % confidence, by order statistics: no distribution is assumed. */
  readonly low: number;
  readonly high: number;
}

export function estimate(values: readonly number[]): Estimate {
  const sorted = sort(values);
  const count = sorted.length;
  // Normal approximation of the binomial that counts how many values lie below the median.
  const reach = 0.98 * Math.sqrt(count);
  const low = Math.max(0, Math.floor(count / 2 - reach));
  const high = Math.min(count - 1, Math.ceil(count / 2 + reach) - 1);
  return { median: median(sorted), low: sorted[low]!, high: sorted[high]! };
}

/** The slope of the least-squares line. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const mean = (pick: (point: { x: number; y: number }) => number): number =>
    points.reduce((sum, point) => sum + pick(point), 0) / points.length;
  const [meanX, meanY] = [mean(({ x }) => x), mean(({ y }) => y)];
  const over = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0);
  return over / points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
}

export function shuffled<T>(values: readonly T[]): T[] {
  const result = [...values];
  for (let index = result.length - 1; index > 0; index--) {
    const other = Math.floor(Math.random() * (index + 1));
    [result[index], result[other]] = [result[other]!, result[index]!];
  }
  return result;
}
