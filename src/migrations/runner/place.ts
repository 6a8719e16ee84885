import { locate } from '../sql/source-cursor.js';
import type { Statement } from '../sql/statement.js';
import type { ProblemPlace } from './script-problem.js';

const SHOWN = 160;

/** Where a statement is, or the place in it that the server pointed at. */
export function placeIn(statement: Statement, offset?: number): ProblemPlace {
  return {
    position: offset === undefined ? statement.start : locate(statement, offset),
    text: statement.text,
  };
}

/** The beginning of a statement on one line. */
export function abridge(text: string, length = SHOWN): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= length ? line : `${line.slice(0, length - 1)}…`;
}
