import type { PoolStatus } from './status-document.js';
import { type Html, html } from './html.js';

const HOUR_MS = 3_600_000;
/** Twice the time between samples and a little: more than that is a gap, in which nobody looked. */
const GAP_MS = 25_000;
const WIDTH = 720;
const HEIGHT = 150;
const LEFT = 34;
const BOTTOM = 20;
const TOP = 8;

interface Point {
  readonly at: number;
  readonly value: number;
}

/** In use and waiting over the last hour. */
export function gaugeChart({ pool, at, counts, history }: PoolStatus): Html {
  const samples = [...history, { at, ...counts }].filter((each) => each.at > at - HOUR_MS);
  const limit = Number.isFinite(counts.max) ? counts.max : 0;
  const top = Math.max(1, limit, ...samples.map(({ inUse, pending }) => Math.max(inUse, pending)));
  const x = (time: number): number => round(LEFT + ((time - (at - HOUR_MS)) / HOUR_MS) * (WIDTH - LEFT));
  const y = (value: number): number => round(HEIGHT - BOTTOM - (value / top) * (HEIGHT - BOTTOM - TOP));
  const runs = (value: (sample: (typeof samples)[number]) => number): Point[][] =>
    unbroken(samples.map((sample) => ({ at: sample.at, value: value(sample) })));
  const line = (points: readonly Point[]): string =>
    points.map((point) => `${x(point.at)},${y(point.value)}`).join(' ');
  const used = runs(({ inUse }) => inUse);
  const waiting = runs(({ pending }) => pending);
  return html`<svg
    class="chart"
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    role="img"
    aria-label="${`Pool ${pool} over the last hour: connections in use, and requests that wait`}"
  >
    ${[0, top].map(
      (value) =>
        html`<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${y(value)}" y2="${y(value)}" />
          <text class="axis" x="${LEFT - 6}" y="${y(value) + 4}" text-anchor="end">${value}</text>`,
    )}
    ${[60, 45, 30, 15].map(
      (minutes) =>
        html`<text
          class="axis"
          x="${x(at - minutes * 60_000)}"
          y="${HEIGHT - 4}"
          text-anchor="${minutes === 60 ? 'start' : 'middle'}"
          >−${minutes} min</text
        >`,
    )}
    <text class="axis" x="${WIDTH}" y="${HEIGHT - 4}" text-anchor="end">now</text>
    ${limit > 0 && html`<line class="limit" x1="${LEFT}" x2="${WIDTH}" y1="${y(limit)}" y2="${y(limit)}" />`}
    ${used.map(
      (points) =>
        html`<polygon
            class="used-area"
            points="${`${x(points[0]!.at)},${y(0)} ${line(points)} ${x(points.at(-1)!.at)},${y(0)}`}"
          /><polyline class="used" points="${line(points)}" />`,
    )}
    ${waiting.map((points) => html`<polyline class="waiting" points="${line(points)}" />`)}
  </svg>`;
}

/** Runs of samples between which nothing is missing. */
function unbroken(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [];
  for (const point of points) {
    const last = runs.at(-1);
    if (last && point.at - last.at(-1)!.at <= GAP_MS) last.push(point);
    else runs.push([point]);
  }
  return runs;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
