import {
  beforeCommit,
  managePool,
  runInTransaction,
  runOutsideTransaction,
  type TransactionOptions,
  unmanagePool,
} from 'holdfast';
import type { PoolClient } from 'pg';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { failureOf } from '../conformance/observing.js';
import { gate, until, useEntries } from './entries.js';
import { useHandLimit, whenWaitingFor } from './hand-limit.js';

const entries = useEntries({ max: 2 });
const limit = useHandLimit();

/** The time is up once a transaction waits for that, and the server sleeps where it is to. */
async function passWhileWaitingFor(told: string): Promise<void> {
  if (told.includes('the answer to a statement')) await until(sleeps);
  await whenWaitingFor(new RegExp(`^${told}$`));
  limit.pass();
}

const sleeps = async (): Promise<boolean> =>
  (
    await entries.db.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`,
    )
  ).length === 1;

/** Clients that other parts of the application hold. */
const held: PoolClient[] = [];
const never = (): Promise<never> => new Promise(() => undefined);
const sleep = (): Promise<unknown> => entries.pool.query('SELECT pg_sleep(60)');
const place = String.raw`\(connection pid \d+ of pool "default"\)`;

interface Case {
  readonly what: string;
  readonly work: () => Promise<unknown>;
  readonly told: string;
  /** What became of it. */
  readonly outcome?: string;
}

const cases: readonly Case[] = [
  {
    what: 'a connection',
    work: async () => {
      for (const _ of [1, 2]) held.push(await runOutsideTransaction(() => entries.pool.connect()));
      await entries.add('a');
    },
    told: String.raw`a connection of pool "default" \(in use 2 of 2, pending 1\)`,
  },
  { what: 'the answer to a statement', work: sleep, told: `the answer to a statement ${place}` },
  {
    what: 'a row stream, in whose loop it writes',
    work: async () => {
      const client = await entries.pool.connect();
      const rows = client.query(new QueryStream('SELECT generate_series(1, 1000)', [], { batchSize: 10 }));
      for await (const _ of rows) await entries.add('a');
    },
    told: `an open cursor, stream or COPY, behind which a statement of the same transaction waits ${place}: read it to its end, or close it, before the next statement`,
  },
  {
    what: 'the reader of a cursor',
    work: async () => {
      const client = await entries.pool.connect();
      await client.query(new Cursor('SELECT generate_series(1, 1000)')).read(1);
      await never();
    },
    told: `the reader of an open cursor, stream or COPY ${place}`,
    outcome: 'Its connection was closed',
  },
  {
    what: 'a statement of an outer method that waits for a NESTED one',
    work: async () => {
      const inside = gate();
      const outer = inside.opened.then(() => entries.add('outer'));
      await runInTransaction(
        async () => {
          await entries.add('inner');
          inside.open();
          await outer;
        },
        { name: 'Stock.take', propagation: 'NESTED' },
      );
    },
    told: 'the NESTED "Stock.take" to end, behind which a statement of "Orders.place" waits: await that before the nested call, or do it inside',
  },
  {
    what: 'a before-commit hook',
    work: async () => {
      await entries.add('a');
      beforeCommit(never);
    },
    told: 'a before-commit hook',
  },
  {
    what: 'a statement of a before-commit hook',
    work: async () => beforeCommit(sleep),
    told: `a before-commit hook, and that for the answer to a statement ${place}`,
  },
  {
    what: 'its own code',
    work: async () => {
      await entries.add('a');
      await never();
    },
    told: 'nothing from the database: look at what its own code awaited',
  },
];

test.each(cases)('$what: the error says that this was waited for', async ({ work, told, outcome }) => {
  const failure = failureOf(runInTransaction(work, { name: 'Orders.place', timeoutMs: limit.timeoutMs }));
  await passWhileWaitingFor(told);
  expect(await failure).toMatchObject(havingWaitedFor(told, outcome));
  for (const client of held.splice(0)) client.release();
});

const joining: readonly TransactionOptions[] = [{}, { propagation: 'NESTED' }];

test.each(joining)('the limit of an inner method, with %j, says it as well', async (options) => {
  const inner = () =>
    runInTransaction(sleep, { ...options, name: 'Orders.place', timeoutMs: limit.timeoutMs });
  const told = `the answer to a statement ${place}`;
  const failure = failureOf(runInTransaction(inner));
  await passWhileWaitingFor(told);
  expect(await failure).toMatchObject(havingWaitedFor(told));
});

test('a method over several data sources is told on which of them it waited', async () => {
  const pool = entries.db.pool();
  const managed = managePool(pool, { name: 'ledger' });
  entries.db.defer(() => unmanagePool(managed));
  const told = `the answer to a statement ${place.replace('default', 'ledger')}`;
  const failure = failureOf(
    runInTransaction(
      async () => {
        await entries.add('a');
        await pool.query('SELECT pg_sleep(60)');
      },
      { name: 'Orders.place', timeoutMs: limit.timeoutMs, dataSource: ['default', 'ledger'] },
    ),
  );
  await passWhileWaitingFor(told);
  expect(await failure).toMatchObject(havingWaitedFor(told));
});

test('where COMMIT gets no answer in time, the cause says that it was waited for', async () => {
  const proxy = await entries.db.proxy();
  const pool = entries.db.pool({ connectionString: proxy.url(entries.db.url) });
  pool.on('error', () => undefined);
  const managed = managePool(pool, { name: 'proxied' });
  entries.db.defer(() => unmanagePool(managed));
  const commit = proxy.once(/^COMMIT/, { action: 'hold' });
  const call = runInTransaction(() => pool.query("INSERT INTO entry (label) VALUES ('a')"), {
    timeoutMs: limit.timeoutMs,
    dataSource: 'proxied',
  });
  void commit.fired.then(limit.pass);
  await expect(call).rejects.toMatchObject({
    cause: {
      code: 'TRANSACTION_TIMEOUT',
      message: expect.stringMatching(
        /waited for the answer to COMMIT \(connection pid \d+ of pool "proxied"\)\. COMMIT was/,
      ),
    },
  });
  commit.release();
});

/** The error of a call whose transaction waited for that. */
function havingWaitedFor(told: string, outcome = 'What ran on the server was cancelled'): object {
  return {
    code: 'TRANSACTION_TIMEOUT',
    message: expect.stringMatching(
      new RegExp(
        `^"Orders\\.place" ran longer than its timeoutMs of ${limit.timeoutMs}\\. When the time was up, its transaction waited for ${told}\\. ${outcome}`,
      ),
    ),
  };
}
