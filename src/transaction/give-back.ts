import { describeError, getLogger } from '../core/index.js';
import { ConnectionLostError, type TransactionLease } from '../connection/index.js';

/** Returns a transaction's connection when the server says that it is idle, and closes it otherwise, or with a reason. */
export function giveBack(lease: TransactionLease, name: string, reason?: Error): void {
  const { session } = lease;
  if (session.status() === 'idle' && !session.lost && !reason) return lease.end();
  const why =
    reason ??
    session.lost ??
    new ConnectionLostError(`the connection was left ${session.status()} by "${name}"`);
  getLogger().warn(
    { transaction: name, backendId: session.backendId, reason: describeError(why).message },
    `holdfast: closed a connection that "${name}" could not leave clean`,
  );
  lease.end(why);
}
