import { setTimeout as sleep } from 'node:timers/promises';
import type { Pool, PoolClient } from 'pg';
import { afterCommit, afterCompletion, afterRollback } from 'holdfast';
import { expectNoOpenTransactions } from 'holdfast/testing';
import type { TestDatabase } from '../harness/database.js';
import { defaultSchema } from '../harness/schema.js';

/** Number of the advisory lock that inserts of a label beginning with `slow` wait for (see `closeGate`). */
const gateLock = 77;

/** The harness's tables; an insert of a label that begins with `slow` waits at the gate, whichever way it came. */
export const conformanceSchema = `${defaultSchema}
  CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(${gateLock});
      RETURN NEW;
    END $$;
  CREATE TRIGGER entry_gate BEFORE INSERT ON entry
    FOR EACH ROW WHEN (NEW.label LIKE 'slow%') EXECUTE FUNCTION wait_at_gate();
`;

/** The committed labels of `entry`, in order of insertion, as the independent observer sees them. */
export async function labelsIn(db: TestDatabase): Promise<string[]> {
  const rows = await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id');
  return rows.map(({ label }) => label);
}

/** Matches the server's error of this SQLSTATE, as the driver throws it or as Prisma wraps it. */
export function withSqlState(code: string): object {
  const stateOf = (error: unknown): unknown => {
    const { code: own, meta } = error as {
      code?: string;
      meta?: { driverAdapterError?: { cause: { originalCode: string } } };
    };
    return meta?.driverAdapterError?.cause.originalCode ?? own;
  };
  return {
    $$typeof: Symbol.for('jest.asymmetricMatcher'),
    asymmetricMatch: (error: unknown) => error instanceof Error && stateOf(error) === code,
    toString: () => `SQLSTATE ${code}`,
    toAsymmetricMatcher: () => `SQLSTATE ${code}`,
  };
}

/** Waits for a condition; rejects after 100 seconds, before the test's own limit, naming it. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 100_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited 100 seconds for: ${what}`);
    await sleep(5);
  }
}

/** Holds every insert of a label that begins with `slow` (database made with `conformanceSchema`). */
export interface Gate {
  /** Resolves when `count` sessions wait at the gate. */
  waiting(count?: number): Promise<void>;
  open(): Promise<void>;
}

/** Closes the gate; it opens by itself after the test. */
export async function closeGate(db: TestDatabase): Promise<Gate> {
  const client = await db.client();
  await client.query('SELECT pg_advisory_lock($1)', [gateLock]);
  return {
    waiting: (count = 1) =>
      until(`${count} session(s) at the gate`, async () => {
        const [row] = await db.query<{ count: number }>(
          `SELECT count(*)::int AS count FROM pg_locks
            WHERE locktype = 'advisory' AND objid = $1 AND NOT granted
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
          [gateLock],
        );
        return row!.count >= count;
      }),
    async open() {
      await client.query('SELECT pg_advisory_unlock_all()');
    },
  };
}

/** What a reviewer would look at after any transaction: nothing lent, nothing open, whoever borrows next. */
export async function expectCleanPool(pool: Pool, db: TestDatabase): Promise<void> {
  expectNoOpenTransactions();
  // A released connection is idle at once; one that was opened for nobody is only just on its way.
  await until('an idle pool', () => pool.waitingCount === 0 && pool.idleCount === pool.totalCount);
  // The server tells of a failed statement before it has left the statement's own transaction.
  await until('no session in a transaction', async () =>
    (await db.sessions()).every(({ inTransaction }) => !inTransaction),
  );
  const clients: PoolClient[] = [];
  try {
    for (let left = pool.totalCount; left > 0; left--) clients.push(await pool.connect());
    for (const client of clients) {
      const { rows } = await client.query<{ open: boolean }>(
        'SELECT transaction_timestamp() <> statement_timestamp() AS open',
      );
      expect(rows).toEqual([{ open: false }]);
    }
  } finally {
    for (const client of clients) client.release();
  }
}

/** What a promise rejects with; fails when it resolves. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error(`expected a rejection, and it resolved to ${JSON.stringify(value)}`);
}

/** A promise that is settled by hand. */
export interface Signal {
  readonly sent: Promise<void>;
  send(): void;
  fail(error: Error): void;
}

export function signal(): Signal {
  let send = (): void => undefined;
  let fail: (error: Error) => void = () => undefined;
  const sent = new Promise<void>((resolve, reject) => {
    send = resolve;
    fail = reject;
  });
  sent.catch(() => undefined);
  return { sent, send, fail };
}

/** What the hooks of a test's transactions were told; `listen()` registers one of each kind. */
export function useHookNotes(): { readonly told: string[]; listen(): void } {
  const told: string[] = [];
  beforeEach(() => void told.splice(0));
  return {
    told,
    listen() {
      afterCommit(() => told.push('after commit'));
      afterRollback(() => told.push('after rollback'));
      afterCompletion((completion) => told.push(completion));
    },
  };
}
