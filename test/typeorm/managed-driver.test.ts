import 'reflect-metadata';
import pg, { Client, type Pool } from 'pg';
import { DataSource } from 'typeorm';
import { InvalidOptionsError, type ManagedPool, runInTransaction, UnsupportedDriverError } from 'holdfast';
import { manageDataSource, managedDriver } from 'holdfast/typeorm';
import { until } from '../conformance/observing.js';
import { errorOf } from '../connection/inspect.js';
import { LeaseLog } from '../connection/lease-log.js';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();

async function start(driver: typeof pg, options: object = {}): Promise<DataSource> {
  const dataSource = new DataSource({ type: 'postgres', url: db.url, driver, poolSize: 2, ...options });
  await dataSource.initialize();
  db.defer(() => dataSource.destroy());
  return dataSource;
}

describe.each([
  { name: 'managedDriver(pg)', driver: managedDriver(pg), known: 1 },
  { name: 'pg itself', driver: pg, known: 0 },
])('a connection that was borrowed before manageDataSource(), with $name', ({ driver, known }) => {
  let managed: ManagedPool;
  let release: () => Promise<void>;
  beforeEach(async () => {
    const dataSource = await start(driver);
    const runner = dataSource.createQueryRunner();
    await runner.connect();
    release = () => runner.release();
    managed = manageDataSource(dataSource).primary;
  });

  test(`is ${known === 1 ? 'a lease' : 'no lease: it was lent before anybody looked'}`, async () => {
    expect(managed.leases().map(({ kind }) => kind)).toEqual(known === 1 ? ['client'] : []);
    await release();
    expect(managed.leases()).toEqual([]);
  });

  test(`${known === 1 ? 'tells' : 'does not tell'} of its return`, async () => {
    const log = new LeaseLog(managed);
    await release();
    expect(log.lines).toEqual(known === 1 ? ['returned client'] : []);
    log.stop();
  });
});

test('transactions are what they are without it', async () => {
  const dataSource = await start(managedDriver(pg));
  manageDataSource(dataSource);
  const working = runInTransaction(async () => {
    await dataSource.query("INSERT INTO entry (label) VALUES ('lost')");
    throw new Error('undo');
  });
  await expect(working).rejects.toThrow('undo');
  expect(await db.query('SELECT label FROM entry')).toEqual([]);
});

test('each pool of a replication is tracked from its first connection on', async () => {
  const server = { url: db.url };
  const dataSource = await start(managedDriver(pg), { replication: { master: server, slaves: [server] } });
  const runners = (['master', 'slave'] as const).map((mode) => dataSource.createQueryRunner(mode));
  for (const runner of runners) await runner.connect();
  const { primary, replicas } = manageDataSource(dataSource);
  expect([primary, ...replicas].map((pool) => pool.leases().length)).toEqual([1, 1]);
  for (const runner of runners) await runner.release();
});

test('until manageDataSource() has named it, no transaction finds it', async () => {
  const dataSource = await start(managedDriver(pg));
  await expect(runInTransaction(() => dataSource.query('SELECT 1'))).rejects.toMatchObject({
    code: 'UNKNOWN_DATA_SOURCE',
  });
  expect(await dataSource.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
});

test('the module is not changed, and the rest of it is there', () => {
  const { Pool: before } = pg;
  const driver = managedDriver(pg);
  expect(pg.Pool).toBe(before);
  expect(driver.Pool).not.toBe(before);
  expect(driver).toMatchObject({ Client: pg.Client, types: pg.types, defaults: pg.defaults });
});

test.each([undefined, null, 'pg', {}, pg.Pool])('what is not the module of pg is refused: %p', (other) => {
  const error = errorOf(() => managedDriver(other as unknown as typeof pg));
  expect(error).toBeInstanceOf(InvalidOptionsError);
  expect(error.message).toMatch(/^managedDriver\(pg\) must be the module of pg, with its Pool, but is /);
});

test('a pg older than 8.21 ends initialize() with what to do, and leaves no connection', async () => {
  class OldClient extends Client {}
  Object.defineProperty(OldClient.prototype, 'getTransactionStatus', { value: undefined });
  class OldPool extends pg.Pool {
    constructor(config: object) {
      super({ ...config, Client: OldClient } as ConstructorParameters<typeof Pool>[0]);
    }
  }
  const old = Object.create(pg, { Pool: { value: OldPool, enumerable: true } }) as typeof pg;
  const error: unknown = await start(managedDriver(old)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(UnsupportedDriverError);
  expect((error as Error).message).toMatch(/pg 8\.21 or newer \(npm install pg@\^8\.21\)/);
  await until('the end of the sessions', async () => (await db.sessions()).length === 0);
});
