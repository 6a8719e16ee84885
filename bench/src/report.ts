import type { Cell, Measured } from './measure.js';
import { estimate, median, quantile, sort } from './statistics.js';
import { COMPARISONS, VARIANTS } from './variants.js';
import type { WireRow } from './wire-check.js';

export function wireTable(rows: readonly WireRow[]): string {
  const byWhat = (what: string): string[] =>
    rows
      .filter((row) => row.what === what)
      .map(({ variant, roundTrips, statements }) =>
        cells([VARIANTS[variant]!.title, what, roundTrips, statements.join(', ') || 'nothing']),
      );
  return [
    cells(['variant', 'transaction', 'round trips', 'statements, as the server gets them']),
    cells(['---', '---', '---:', '---']),
    ...['insert-update', 'select', 'empty'].flatMap(byWhat),
  ].join('\n');
}

export function cellTable(cell: Cell, measured: readonly Measured[]): string {
  const order = Object.keys(VARIANTS);
  const rows = measured
    .filter(({ cell: { link, scenario, concurrency } }) => {
      return link === cell.link && scenario === cell.scenario && concurrency === cell.concurrency;
    })
    .sort((a, b) => order.indexOf(a.variant) - order.indexOf(b.variant));
  return [
    cells(['variant', 'tx/s', 'ratio (95 % interval)', 'target', 'p50 ms', 'p99 ms', 'client CPU µs/tx']),
    cells(['---', '---:', '---:', '---:', '---:', '---:', '---:']),
    ...rows.map(variantRow),
  ].join('\n');
}

function variantRow({ cell, variant, throughput, cpuMicros, ratios, latencies }: Measured): string {
  const { title, comparison, holdfast } = VARIANTS[variant]!;
  const { baseline, target: targets, targetFrom } = COMPARISONS[comparison];
  const sorted = sort(latencies);
  const target = holdfast === 'now' && cell.concurrency >= targetFrom ? targets[cell.link] : undefined;
  const { median: ratio, low, high } = estimate(ratios);
  const shown = baseline === variant ? '1' : `${ratio.toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  const verdict = target === undefined ? '' : `${ratio >= target ? 'met' : 'missed'}, ${target.toFixed(2)}`;
  return cells([
    title,
    Math.round(median(throughput)),
    ratios.length === 0 ? '' : shown,
    verdict,
    quantile(sorted, 0.5).toFixed(2),
    quantile(sorted, 0.99).toFixed(2),
    median(cpuMicros).toFixed(0),
  ]);
}

function cells(values: readonly (string | number)[]): string {
  return `| ${values.join(' | ')} |`;
}
