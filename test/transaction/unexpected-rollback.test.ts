import {
  ConnectionLostError,
  currentTransaction,
  runInTransaction,
  type TransactionOptions,
  UnexpectedRollbackError,
} from 'holdfast';
import Cursor from 'pg-cursor';
import { useEntries } from './entries.js';

const entries = useEntries({ max: 1 });

class Expected extends Error {}
const expected = new Expected('of its own');

const failing = (): Promise<unknown> => entries.pool.query('SELECT 1/0');
const swallow = (): undefined => undefined;

async function leaveCursorOpen(): Promise<void> {
  const client = await entries.pool.connect();
  await client.query(new Cursor('SELECT generate_series(1, 10000)')).read(1);
}

async function fillPool(): Promise<void> {
  const client = await entries.pool.connect();
  entries.db.defer(() => client.release());
  Object.assign(entries.pool.options, { connectionTimeoutMillis: 20 });
}

/** Ends the session of the transaction, and resolves once its client has heard of it. */
async function kill(): Promise<void> {
  const client = await entries.pool.connect();
  const ended = new Promise<void>((resolve) => client.once('end', resolve));
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await entries.db.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);
  await ended;
  await entries.pool.query('SELECT 1').catch(swallow);
}

interface Case {
  readonly what: string;
  readonly work: () => Promise<unknown>;
  readonly before?: () => Promise<void>;
  readonly told: string;
  readonly retryable?: boolean;
}

const joined = (work: () => Promise<unknown>, options?: TransactionOptions): Promise<unknown> =>
  runInTransaction(work, { name: 'Stock.take', ...options });

const returning: readonly Case[] = [
  {
    what: 'a statement fails and its error is swallowed',
    work: () => failing().catch(swallow),
    told: 'a statement in it had failed, and the error was swallowed. Let the error through, or run what may fail with propagation NESTED.',
  },
  {
    what: 'a cursor is left open',
    work: leaveCursorOpen,
    told: 'a cursor, a stream or COPY was still open when its method ended. Read it to its end, or close it, before the method ends.',
  },
  {
    what: 'the session is killed and the error swallowed',
    work: kill,
    told: 'its connection was lost, and the error was swallowed (see the cause). Let the error through, and run the method again.',
    retryable: true,
  },
  {
    what: 'the pool gives no connection and the error is swallowed',
    before: fillPool,
    work: () => entries.add('a').catch(swallow),
    told: 'it got no connection, and the error was swallowed (see the cause). Let the error through.',
  },
  {
    what: 'a statement ends the transaction by itself and the error is swallowed',
    work: async () => {
      await entries.add('a');
      await entries.pool.query('SELECT 1; ROLLBACK').catch(swallow);
      await entries.add('b').catch(swallow);
    },
    told: 'a statement had ended its transaction on the server, and the error was swallowed (see the cause). Send no COMMIT or ROLLBACK inside other statements.',
  },
  {
    what: 'a joined method throws and its error is swallowed',
    work: () => joined(() => Promise.reject(expected)).catch(swallow),
    told: '"Stock.take" had marked it for rollback, and its error was swallowed. Let the error through, or run that method with propagation NESTED.',
  },
  {
    what: 'a joined method asks for the rollback',
    work: () => joined(async () => currentTransaction()!.setRollbackOnly()),
    told: '"Stock.take" had marked it for rollback with setRollbackOnly(). Let that method throw, so that its caller knows, or run it with propagation NESTED.',
  },
];

test.each(returning)('$what: the message says so', async ({ before, work, told, retryable = false }) => {
  await before?.();
  const error = await failureOf(runInTransaction(work, { name: 'Orders.place' }));
  expect(error).toBeInstanceOf(UnexpectedRollbackError);
  expect(error.message).toBe(`"Orders.place" returned, but its work was rolled back: ${told}`);
  expect(error).toMatchObject({ retryable });
  expect(error.cause instanceof ConnectionLostError).toBe(retryable);
});

const throwing: readonly Case[] = [
  {
    what: 'a statement that failed',
    work: () => failing().catch(swallow),
    told: 'a statement in it had failed, after which the server keeps nothing. Run what may fail with propagation NESTED.',
  },
  {
    what: 'a cursor that is left open',
    work: leaveCursorOpen,
    told: 'a cursor, a stream or COPY was still open when its method ended. Read it to its end, or close it, before the method ends.',
  },
  {
    what: 'a joined method without the rule',
    work: () => joined(() => Promise.reject(expected)),
    told: '"Stock.take" had marked it for rollback. Give that method the same commitOn, or run it with propagation NESTED.',
  },
];

describe.each(['REQUIRES_NEW', 'NESTED'] as const)(
  'a %s method that throws what its commitOn names',
  (propagation) => {
    test.each(throwing)('cannot commit after $what, and says so', async ({ work, told }) => {
      const outer = runInTransaction(() =>
        runInTransaction(
          async () => {
            await work();
            throw expected;
          },
          { name: 'Orders.place', commitOn: Expected, propagation },
        ),
      );
      const error = await failureOf(outer);
      expect(error).toBeInstanceOf(UnexpectedRollbackError);
      expect(error.message).toBe(
        `"Orders.place" threw an error for which it commits, but its work was rolled back: ${told}`,
      );
    });
  },
);

async function failureOf(call: Promise<unknown>): Promise<Error> {
  return call.then(
    () => {
      throw new Error('it was not refused');
    },
    (error: Error) => error,
  );
}
