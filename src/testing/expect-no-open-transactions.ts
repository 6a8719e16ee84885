import { runningTransactions } from '../connection/index.js';

/**
 * Throws when a transaction is still running, naming each. Call it at the end of a test or in `afterEach`.
 *
 * @throws Error whose message lists the method, the id and the data source of every running transaction.
 *
 * @example
 * ```ts
 * afterEach(() => expectNoOpenTransactions());
 * ```
 */
export function expectNoOpenTransactions(): void {
  const open = runningTransactions.on();
  if (open.length === 0) return;
  const list = open.map(({ id, name, source }) => `  "${name}" (${id}) on "${source.name}"`).join('\n');
  throw new Error(
    `${open.length} transaction(s) still run:\n${list}\nAwait the call that began each before the test ends.`,
  );
}
