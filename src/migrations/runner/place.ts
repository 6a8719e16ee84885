import { locate } from '../sql/source-cursor.js';
import { sourceText } from '../sql/source-text.js';
import type { Statement } from '../sql/statement.js';
import type { ProblemPlace } from './script-problem.js';

/** Where a statement is, or the place in it that the server pointed at. */
export function placeIn(statement: Statement, offset?: number): ProblemPlace {
  return {
    position: offset === undefined ? statement.start : locate(statement, offset),
    text: sourceText(statement),
  };
}
