import type { Statement } from '../sql/statement.js';

/** What is left of a journaled script that failed: its statements up to `kept`, of this run or an earlier one. */
export function keptSentence(
  kept: number,
  { hasLeft, staysInTheWay }: { readonly hasLeft: boolean; readonly staysInTheWay: boolean },
): string {
  if (kept === 0) return hasLeft ? 'What the earlier run did of it stays. ' : '';
  const which =
    kept === 1
      ? 'Its first statement took effect and stays.'
      : `Its statements 1 to ${kept} took effect and stay.`;
  const goesOn = staysInTheWay
    ? 'Every `up` stops here until that is settled. '
    : `The next \`up\` goes on after ${kept === 1 ? 'it' : 'them'}; what comes later in the file may be changed until then. `;
  return `${which} ${goesOn}`;
}

export function unknownSentence({ index, start: { line } }: Statement): string {
  return `The connection was lost while statement ${index} (line ${line}) ran: the next \`up\` asks the server whether it took effect.`;
}

export function halfDoneSentence({ index, start: { line } }: Statement): string {
  return `Tables of an engine without transactions (MyISAM, Aria) keep what was written to them from statement ${index} (line ${line}) on: every \`up\` stops there until that is settled.`;
}

export const SETTLE_HALF_DONE =
  'Look at what is in those tables, and correct the statement; the next `up` says how to go on after it or to run it again.';
