import { AcquireTimeoutError, runInTransaction } from 'holdfast';
import { failureOf, until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { type Databases, drivers, type Started, type StartOptions } from './driver-pools.js';
import { LeaseLog } from './lease-log.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();
const databases: Databases = { pg, mysql };

const HOLDER = 'All 1 connections are held by ReportService.run (src/report.service.ts:12).';

interface Limit {
  readonly name: string;
  readonly options: StartOptions;
  /** Whether the error is the driver's own, as the cause. */
  readonly ofDriver: boolean;
  readonly why: RegExp;
}

const byDriver = (why: RegExp, driverTimeoutMs: number): Limit => ({
  name: "the driver's own limit",
  options: { driverTimeoutMs },
  ofDriver: true,
  why,
});

const byHoldfast: Limit = {
  name: 'acquireTimeoutMs',
  options: { acquireTimeoutMs: 500 },
  ofDriver: false,
  why: /it waited 500 ms/,
};

/** mysql2 has no limit of its own. */
const cases = drivers.flatMap((driver) => {
  const own = driver.name.startsWith('pg')
    ? [byDriver(/timeout exceeded when trying to connect/, 400)]
    : driver.name === 'mariadb'
      ? // The connector takes it for the time to connect as well, which a busy machine may need.
        [byDriver(/pool timeout: failed to retrieve a connection from pool after [1-9]\d{3,}ms/, 1500)]
      : [];
  return [...own, byHoldfast].map((limit) => ({ driver, limit, name: `${driver.name}, ${limit.name}` }));
});

const requests: readonly (readonly [kind: string, who: string, ask: (pool: Started) => Promise<unknown>])[] =
  [
    ['client', 'A statement', async ({ connect }) => (await connect()).release()],
    ['query', 'A statement', ({ query }) => query('SELECT 1')],
    [
      'transaction',
      '"Orders.place"',
      ({ query }) => runInTransaction(() => query('SELECT 1'), { name: 'Orders.place' }),
    ],
  ];

describe.each(cases)('$name', ({ driver, limit }) => {
  /** A request that waited in vain while an observer had something to say. */
  async function starve(
    ask: (pool: Started) => Promise<unknown>,
    observe: (pool: Started) => void,
  ): Promise<{ pool: Started; error: Error }> {
    const pool = driver.start(databases, { max: 1, ...limit.options });
    observe(pool);
    const client = await pool.connect();
    const failure = failureOf(ask(pool));
    await until('it to wait', () => pool.managed.counts().pending === 1);
    pool.clock.advance(500);
    const error = await failure;
    client.release();
    return { pool, error };
  }

  test.each(requests)(
    'a %s is told who holds the connections, and where it asked',
    async (kind, who, ask) => {
      let log!: LeaseLog;
      const { error } = await starve(ask, ({ managed }) => {
        log = new LeaseLog(managed, {
          ignoresQueries: true,
          recordsCallSite: () => false,
          explain: (request) => `${HOLDER} ${request.kind} of ${request.pool} waited.`,
        });
        managed.observe({ explain: () => undefined });
        managed.observe({ explain: () => 'And 3 more callers wait.' });
      });

      expect(error).toBeInstanceOf(AcquireTimeoutError);
      expect(error).toMatchObject({ code: 'ACQUIRE_TIMEOUT', retryable: true });
      const [first, ...explanations] = error.message.split('\n');
      expect(first).toContain(`${who} got no connection of pool "default" in time: `);
      expect(first).toMatch(new RegExp(`in time: ${limit.why.source}`));
      expect(first).toContain('. In use 1 of 1, idle 0, pending ');
      expect(explanations).toEqual([`${HOLDER} ${kind} of default waited.`, 'And 3 more callers wait.']);
      expect(error.stack).toContain(`AcquireTimeoutError: ${error.message}\n`);
      // A transaction asks when its first statement has had its turn: its name says whose it is.
      const asked = /starved-callers\.test\.ts|driver-pools\.ts/.test(error.stack!);
      expect(asked || kind === 'transaction').toBe(true);
      expect(error.cause instanceof Error).toBe(limit.ofDriver);

      const gaveUp = log.events.filter(({ event }) => event === 'gaveUp');
      expect(gaveUp).toMatchObject([{ lease: { kind, waited: true } }]);
      expect(log.lines.slice(0, 3)).toEqual(['acquired client', `wait ${kind}`, `gaveUp ${kind}`]);
    },
  );

  test('an observer that throws costs its explanation only', async () => {
    const { error } = await starve(requests[0]![2], ({ managed }) => {
      managed.observe({
        explain: () => {
          throw new Error('broke');
        },
      });
      managed.observe({ explain: () => HOLDER });
    });
    expect(error).toBeInstanceOf(AcquireTimeoutError);
    expect(error.message.split('\n').slice(1)).toEqual([HOLDER]);
  });
});

test("without an observer a caller of pg gets pg's own error", async () => {
  const [pgDriver] = drivers;
  const pool = pgDriver!.start(databases, { max: 1, driverTimeoutMs: 50 });
  const client = await pool.connect();
  const error = await failureOf(pool.connect());
  expect(error).not.toBeInstanceOf(AcquireTimeoutError);
  expect(error.message).toBe('timeout exceeded when trying to connect');
  client.release();
});

test.each(drivers)('$name: an error that is no timeout passes as it is, and is told', async (driver) => {
  const pool = driver.start(databases, { max: 1 });
  const log = new LeaseLog(pool.managed, { explain: () => HOLDER });
  const client = await pool.connect();
  client.release();
  const native = pool.managed.native as { end(callback?: () => void): unknown };
  await (driver.name === 'mysql2 with callbacks'
    ? new Promise<void>((resolve) => native.end(resolve))
    : native.end());
  const error = await failureOf(pool.connect());
  expect(error).not.toBeInstanceOf(AcquireTimeoutError);
  expect(error.message).not.toContain(HOLDER);
  expect(log.lines.at(-1)).toBe('gaveUp client');
  expect(log.events.at(-1)!.detail).toBe(error);
});
