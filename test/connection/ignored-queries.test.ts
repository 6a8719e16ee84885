import { setImmediate } from 'node:timers/promises';
import { runInTransaction, runOutsideTransaction } from 'holdfast';
import { until } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { drivers, type Started } from './driver-pools.js';
import { LeaseLog } from './lease-log.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();

describe.each(drivers)('$name', (driver) => {
  /** Of an observer that ignores queries, and of one that does not. */
  function start(max: number): Started & { ignoring: LeaseLog; all: () => LeaseLog } {
    const started = driver.start({ pg, mysql }, { max });
    const ignoring = new LeaseLog(started.managed, { ignoresQueries: true });
    return { ...started, ignoring, all: () => new LeaseLog(started.managed) };
  }

  test('a query that need not wait is not told', async () => {
    const { query, ignoring, all } = start(2);
    await query('SELECT 1');
    expect(ignoring.lines).toEqual([]);
    const others = all();
    await query('SELECT 1');
    expect(ignoring.lines).toEqual([]);
    expect(others.lines).toEqual(['acquired query', 'returned query']);
  });

  test('nor one outside the transaction that it is called in', async () => {
    const { query, ignoring } = start(2);
    await runInTransaction(() => runOutsideTransaction(() => query('SELECT 1')));
    expect(ignoring.lines).toEqual([]);
  });

  test('a query that waits is told, from its wait to its end', async () => {
    const { managed, connect, query, ignoring } = start(1);
    const client = await connect();
    const waits = query('SELECT 1');
    await until('it to wait', () => managed.waiting().length === 1);
    client.release();
    await waits;
    while (managed.counts().inUse > 0) await setImmediate();
    expect(ignoring.lines).toEqual([
      'acquired client',
      'wait query',
      'returned client',
      'acquired query',
      'returned query',
    ]);
  });

  test('waiting() holds the requests that wait, oldest first', async () => {
    const { managed, clock, connect, query } = start(1);
    const client = await connect();
    clock.advance(1);
    const asked = [connect().then((next) => next.release())];
    await until('the first to wait', () => managed.waiting().length === 1);
    clock.advance(1);
    asked.push(query('SELECT 1') as Promise<never>);
    asked.push(runInTransaction(() => query('SELECT 1'), { name: 'Shop.order' }) as Promise<never>);
    await until('all to wait', () => managed.waiting().length === 3);
    expect(managed.waiting().map(({ kind, holder, requestedAt }) => [kind, holder, requestedAt])).toEqual([
      ['client', undefined, 1],
      ['query', undefined, 2],
      ['transaction', 'Shop.order', 2],
    ]);
    client.release();
    await Promise.all(asked);
    expect(managed.waiting()).toEqual([]);
  });
});
