import { messageOf } from '../core/index.js';
import type { Transaction } from './transaction.js';
import type { TransactionGroup } from './transaction-group.js';

/** What a call waited for when its time was up, as far as its transactions know. */
export function waitedFor(unit: Transaction | TransactionGroup): string {
  const transactions = 'transactions' in unit ? unit.transactions : [unit];
  const waits = transactions.map(fromDatabase).find((wait) => wait !== undefined);
  if (transactions.some(({ root }) => root.hooks.checking))
    return waits ? `a before-commit hook, and that for ${waits}` : 'a before-commit hook';
  const lost = transactions.find(({ connection }) => connection?.lost)?.connection?.lost;
  if (!waits && lost) {
    const why = messageOf(lost).replace(/\.$/, '');
    return `nothing from the database any more: its connection had been lost (${why})`;
  }
  return waits ?? 'nothing from the database: look at what its own code awaited';
}

function fromDatabase({ queue, connection, committing, pool }: Transaction): string | undefined {
  const place = `(connection pid ${connection?.backendId ?? 'unknown'} of pool "${pool.name}")`;
  if (committing) return `the answer to COMMIT ${place}`;
  if (queue.running && !connection) {
    const { inUse, max, pending } = pool.counts();
    return `a connection of pool "${pool.name}" (in use ${inUse} of ${max}, pending ${pending})`;
  }
  if (queue.running && connection?.streaming) {
    return queue.waiting
      ? `an open cursor, stream or COPY, behind which a statement of the same transaction waits ${place}: read it to its end, or close it, before the next statement`
      : `the reader of an open cursor, stream or COPY ${place}`;
  }
  if (queue.running) return `the answer to a statement ${place}`;
  const { heldBack: outer, innermost } = queue;
  return (
    outer &&
    `the NESTED "${innermost.name}" to end, behind which a statement of "${outer.name}" waits: await that before the nested call, or do it inside`
  );
}
