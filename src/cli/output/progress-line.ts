import { displayWidth, duration, printable, truncate } from './text.js';

/** The migration that runs now. */
export interface RunningMigration {
  readonly script: string;
  readonly number: number;
  readonly of: number;
  readonly elapsedMs: number;
  readonly statements: number;
  /** From 0 to 1; undefined where nobody knows. */
  readonly share: number | undefined;
}

const BAR_WIDTH = 20;
const NARROWEST_NAME = 12;

/** One line of at most `width` columns: place, file, bar, per cent, statements, elapsed time. What does not fit is left out. */
export function progressLine(running: RunningMigration, width: number): string {
  const place = `[${running.number}/${running.of}]`;
  const elapsed = duration(running.elapsedMs);
  const name = printable(running.script);
  const { share } = running;
  const percent = share === undefined ? [] : [`${String(Math.floor(share * 100)).padStart(3)} %`];
  const statements =
    running.statements > 1 ? [`${running.statements.toLocaleString('en-US')} statements`] : [];
  const bar = share === undefined ? [] : [barOf(share)];
  const versions = [[...bar, ...percent, ...statements], [...percent, ...statements], percent, []];
  for (const middle of versions) {
    const rest = [place, ...middle, elapsed].join('  ');
    const left = width - displayWidth(rest) - 2;
    if (left < Math.min(NARROWEST_NAME, displayWidth(name)) && middle.length > 0) continue;
    return truncate([place, truncate(name, Math.max(left, 1)), ...middle, elapsed].join('  '), width);
  }
  return '';
}

function barOf(share: number): string {
  const filled = Math.floor(share * BAR_WIDTH);
  return '━'.repeat(filled) + '─'.repeat(BAR_WIDTH - filled);
}
