import { HoldfastError } from '../../core/index.js';
import type { Colours } from '../terminal.js';
import { printable } from './text.js';

/** What happened, where, what is left in the database and the next step: as the error's own message says it. */
export function failureText(error: unknown, { red, bold }: Colours): string {
  const [first = '', ...rest] = printable(messageFor(error)).split('\n');
  return [red(bold(first)), ...rest].join('\n');
}

/** An error that is none of holdfast's is a defect, of a migration in code or of ours: its stack says which. */
function messageFor(error: unknown): string {
  if (error instanceof HoldfastError) return error.message;
  if (!(error instanceof Error)) return `Unexpected: ${String(error)}`;
  return `Unexpected ${error.stack ?? `${error.name}: ${error.message}`}`;
}
