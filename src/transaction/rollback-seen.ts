import { settledWithin, systemClock } from '../core/index.js';
import type { Session } from '../connection/index.js';

/** How long ROLLBACK, and each subscriber of it, may take before the connection is closed instead. */
export const ROLLBACK_LIMIT_MS = 5000;
/** The same when the caller waits for the end of a transaction that was ended from outside. */
export const ABORT_LIMIT_MS = 1000;

/** What was seen of the rollback of a transaction that was ended from outside; the gravest last. */
const SENTENCES = {
  'not yet': 'What runs on the server is cancelled and the transaction rolled back',
  'rolled back': 'What ran on the server was cancelled and the transaction is rolled back',
  closed:
    'Its connection was closed: the server rolls the transaction back when it notices, at the latest when what ran there ends',
  'not cancelled': `What ran on the server could not be cancelled within ${ABORT_LIMIT_MS} ms: the connection was closed, and the server may go on, and keep the locks, until the statement ends; then it rolls back`,
} as const;

export type RollbackSeen = keyof typeof SENTENCES;
const GRAVITY = Object.keys(SENTENCES);

/** The sentence of a message that says what became of it. */
export function sentenceOf(seen: RollbackSeen): string {
  return `${SENTENCES[seen]}; statements that the method still sends are refused.`;
}

/** Of what was seen of several, the one that somebody has to know. */
export function graver(one: RollbackSeen, other: RollbackSeen): RollbackSeen {
  return GRAVITY.indexOf(one) < GRAVITY.indexOf(other) ? other : one;
}

/** What rolling back needs of its transaction. */
interface RollingBack {
  /** Whether there is anything to roll back on the session, still. */
  readonly isOurs: () => boolean;
  /** Runs it behind what is on its way. */
  readonly inTurn: (work: () => Promise<void>) => Promise<void>;
  /** Resolves when no cancel request is on its way. */
  readonly cancelled: () => Promise<void> | undefined;
}

/** Sends ROLLBACK, where the session can still take it within the limit, and answers what was seen of it. */
export async function rollBackWithin(
  limitMs: number,
  session: Session,
  { isOurs, inTurn, cancelled }: RollingBack,
): Promise<RollbackSeen> {
  let hasEnded = false;
  const rollback = async (): Promise<void> => {
    hasEnded = true;
    if (!isOurs() || session.lost) return;
    await cancelled();
    if (session.status() !== 'idle' && session.status() !== 'busy') await session.control('ROLLBACK');
  };
  if (!session.lost) await settledWithin(systemClock, limitMs, inTurn(rollback));
  if (session.lost || session.streaming) return 'closed';
  if (session.status() === 'idle') return 'rolled back';
  return hasEnded ? 'closed' : 'not cancelled';
}
