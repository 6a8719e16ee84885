import type { Problem } from '../../migrations/index.js';
import type { Output } from '../terminal.js';
import { printable } from './text.js';

/** Why `up` would refuse, a paragraph each. */
export function printProblems(out: Output, problems: readonly Problem[]): void {
  for (const { message } of problems) out.line(`${out.colours.red('✗')} ${printable(message)}`);
  if (problems.length > 0) out.line();
}
