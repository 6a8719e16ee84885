import 'reflect-metadata';
import { DataSource } from 'typeorm';
import {
  afterCommit,
  afterRollback,
  runInTransaction,
  runOutsideTransaction,
  ShutdownError,
  type TransactionOptions,
} from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { useDatabase } from '../harness/database.js';
import { gate, until } from './entries.js';
import { useLog } from './log.js';

const db = useDatabase();
const log = useLog();
const never = (): Promise<never> => new Promise(() => undefined);
const ignore = (): undefined => undefined;
const failureOf = (call: Promise<unknown>): Promise<unknown> => call.then(ignore, (error: unknown) => error);
let dataSource: DataSource;

/** `destroy` takes the place of TypeORM's own. */
async function start(shutdownTimeoutMs: number, destroy?: (own: () => Promise<void>) => Promise<void>) {
  dataSource = await new DataSource({ type: 'postgres', url: db.url, poolSize: 3 }).initialize();
  const own = dataSource.destroy.bind(dataSource);
  if (destroy) dataSource.destroy = () => destroy(own);
  manageDataSource(dataSource, { shutdownTimeoutMs });
}
const insert = (label: string): Promise<unknown> =>
  dataSource.query('INSERT INTO entry (label) VALUES ($1)', [label]);
const begin = (label: string, options: TransactionOptions = {}): Promise<unknown> =>
  runInTransaction(() => insert(label), { name: label, ...options });
const committed = async (): Promise<string[]> =>
  (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY label')).map(({ label }) => label);

afterEach(async () => {
  if (dataSource.isInitialized) await dataSource.destroy();
  await db.truncate();
});

/** A transaction that runs until it is told to go on, and then does `last`. */
async function hold(last: () => unknown = ignore): Promise<{ end: () => Promise<unknown> }> {
  const [begun, held] = [gate(), gate()];
  const running = runInTransaction(
    async () => {
      await insert('held');
      begun.open();
      await held.opened;
      await last();
    },
    { name: 'Orders.place' },
  );
  running.catch(ignore);
  await begun.opened;
  return { end: () => (held.open(), running) };
}

describe('while destroy() waits for a transaction', () => {
  test.each<[string, TransactionOptions]>([
    ['REQUIRED', {}],
    ['REQUIRES_NEW', { propagation: 'REQUIRES_NEW' }],
    ['NESTED', { propagation: 'NESTED' }],
    ['of several data sources', { dataSource: ['default'] }],
    ['that would be run again', { retry: { backoffMs: 1, on: () => true } }],
  ])('a new one is refused at once: %s', async (_way, options) => {
    await start(30_000);
    const running = await hold();
    const destroyed = dataSource.destroy();

    const refusal = await failureOf(begin('Orders.late', options));
    await running.end();
    await destroyed;

    expect(refusal).toBeInstanceOf(ShutdownError);
    expect(refusal).toMatchObject({
      retryable: true,
      message: expect.stringContaining(
        '"Orders.late" was not begun: data source "default" is shutting down',
      ) as unknown,
    });
    expect(await committed()).toEqual(['held']);
    expect(log.warnings).toEqual([]);
  });

  test.each<[string, () => unknown]>([
    ['it', () => begin('inner', { propagation: 'REQUIRES_NEW' })],
    ['what it runs outside itself', () => runOutsideTransaction(() => begin('inner'))],
    ['a method without a transaction that it calls', () => untransacted(() => begin('inner'))],
    ['its after-commit hook', () => afterCommit(() => begin('inner'))],
    ['a hook of its hook', () => afterCommit(() => afterCommit(() => begin('inner')))],
    [
      'the after-rollback hook of a nested part',
      () =>
        runInTransaction(
          () => {
            afterRollback(() => begin('inner', { propagation: 'REQUIRES_NEW' }));
            throw new Error('undo the part');
          },
          { propagation: 'NESTED' },
        ).catch(ignore),
    ],
  ])('%s can still begin one', async (_who, last) => {
    await start(30_000);
    const running = await hold(last);
    const destroyed = dataSource.destroy();
    await running.end();
    await destroyed;

    expect(await committed()).toEqual(['held', 'inner']);
    expect([log.errors, log.warnings]).toEqual([[], []]);
  });

  test('so can a subscriber of its rollback', async () => {
    await start(30_000);
    dataSource.subscribers.push({
      afterTransactionRollback: async () => void (await begin('inner', { propagation: 'REQUIRES_NEW' })),
    });
    const running = await hold(() => Promise.reject(new Error('undo it')));
    const destroyed = dataSource.destroy();
    await running.end().catch(ignore);
    await destroyed;

    expect(await committed()).toEqual(['inner']);
    expect(log.errors).toEqual([]);
  });

  test('what it has started and nobody waits for is refused', async () => {
    await start(30_000);
    const goOn = gate();
    let late: Promise<unknown> | undefined;
    const running = await hold();
    await runInTransaction(async () => {
      runOutsideTransaction(() => void (late = failureOf(goOn.opened.then(() => begin('late')))));
    });
    const destroyed = dataSource.destroy();
    goOn.open();

    expect(await late).toBeInstanceOf(ShutdownError);
    await running.end();
    await destroyed;
    expect(await committed()).toEqual(['held']);
  });
});

const untransacted = (work: () => Promise<unknown>): Promise<unknown> =>
  runInTransaction(work, { propagation: 'NOT_SUPPORTED' });

test('destroy() drains what begins one transaction after the other, and ends none of them', async () => {
  await start(30_000);
  let transactions = 0;
  const consume = async (): Promise<never> => {
    for (;;) {
      await begin('message');
      transactions++;
    }
  };
  const consumers = [failureOf(consume()), failureOf(consume())];
  await until(() => Promise.resolve(transactions > 3));
  await dataSource.destroy();

  for (const end of await Promise.all(consumers)) expect(end).toBeInstanceOf(ShutdownError);
  expect(log.warnings).toEqual([]);
  expect(await committed()).toHaveLength(transactions);
});

test('a new one is refused with ShutdownError until the pool has ended as well', async () => {
  const [ending, goOn] = [gate(), gate()];
  await start(30_000, async (own) => {
    const destroyed = own();
    ending.open();
    await goOn.opened;
    await destroyed;
  });
  const destroyed = dataSource.destroy();
  await ending.opened;
  expect(await failureOf(begin('late'))).toBeInstanceOf(ShutdownError);
  goOn.open();
  await destroyed;
});

test('when destroy() fails, the data source works as before', async () => {
  let fails = true;
  await start(30_000, (own) => {
    if (!fails) return own();
    fails = false;
    return Promise.reject(new Error('not now'));
  });
  await expect(dataSource.destroy()).rejects.toThrow('not now');
  await begin('after');
  expect(await committed()).toEqual(['after']);
});

test('late callers are told that the data source was shut down, until it is initialised again', async () => {
  await start(30_000);
  await dataSource.destroy();
  expect(await failureOf(begin('late'))).toMatchObject({
    code: 'UNKNOWN_DATA_SOURCE',
    message: expect.stringContaining(
      'Data source "default" was shut down and is no longer managed.',
    ) as unknown,
  });
  await dataSource.initialize();
  await begin('again');
  expect(await committed()).toEqual(['again']);
});

test('at the limit, one that began during the shutdown is told apart from those that ran before', async () => {
  await start(150);
  const began = gate();
  const running = await hold(() =>
    runInTransaction(
      () => {
        began.open();
        return never();
      },
      { name: 'Audit.add', propagation: 'REQUIRES_NEW' },
    ),
  );
  const destroyed = dataSource.destroy();
  const refusal = failureOf(running.end());
  await began.opened;
  await destroyed;

  expect(log.warnings.map(([, message]) => message)).toEqual([
    expect.stringContaining('"Orders.place" still ran 150 ms after shutdown began; it is rolled back'),
    expect.stringContaining(
      '"Audit.add" began during shutdown and still ran 150 ms after that began; it is rolled back',
    ),
  ]);
  expect(await refusal).toMatchObject({ code: 'SHUTDOWN' });
  expect(await committed()).toEqual([]);
});

test('a hook of a rollback at the limit is let go as much later, and the warning has the whole time', async () => {
  await start(50);
  const running = await hold(() => {
    afterRollback(never);
    return never();
  });
  void running.end().catch(ignore);
  await dataSource.destroy();

  expect(log.warnings.map(([, message]) => message)).toEqual([
    expect.stringContaining('"Orders.place" still ran 50 ms after shutdown began'),
    expect.stringContaining(
      'a hook of "Orders.place", which has ended, still ran 100 ms after shutdown began',
    ),
  ]);
});
