import 'reflect-metadata';
import { PrismaPg } from '@prisma/adapter-pg';
import { managedPool, managePool, runInTransaction, Transactional, unmanagePool } from 'holdfast';
import { managePrisma } from 'holdfast/prisma';
import { rollbackPerTest } from 'holdfast/testing';
import { manageDataSource } from 'holdfast/typeorm';
import type { Pool } from 'pg';
import { Column, DataSource, type DataSourceOptions, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { failureOf } from '../conformance/observing.js';
import { RecordingSubscriber } from '../conformance/recording-subscriber.js';
import { useDatabase } from '../harness/database.js';
import { PrismaClient } from '../prisma/generated/client.js';
import { committed, entriesOn } from './entries.js';
import { InnerTest } from './inner-test.js';

@Entity('entry')
class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') label!: string;
}

const db = useDatabase();

async function startApplication(options: Partial<DataSourceOptions> = {}) {
  const dataSource = await new DataSource({
    type: 'postgres',
    url: db.url,
    entities: [Entry],
    poolSize: 4,
    ...options,
  } as DataSourceOptions).initialize();
  manageDataSource(dataSource);
  const pool = managedPool().native as Pool;
  const prisma = managePrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
  return { dataSource, pool, prisma, service: new Service(dataSource, pool, prisma) };
}

class Service {
  constructor(
    private readonly dataSource: DataSource,
    private readonly pool: Pool,
    private readonly prisma: PrismaClient,
  ) {}

  @Transactional()
  async write(fail = false): Promise<void> {
    await this.dataSource.getRepository(Entry).save({ label: 'typeorm' });
    await this.prisma.entry.create({ data: { label: 'prisma' } });
    await this.pool.query("INSERT INTO entry (label) VALUES ('pg')");
    if (fail) throw new Error('undone');
  }

  async labels(): Promise<string[]> {
    const rows = await this.dataSource.getRepository(Entry).find({ order: { id: 'ASC' } });
    return rows.map(({ label }) => label);
  }
}

type Application = Awaited<ReturnType<typeof startApplication>>;

describe('an application that is started in beforeAll', () => {
  let app: Application;
  beforeAll(async () => {
    app = await startApplication();
  });
  afterAll(() => app.dataSource.destroy());
  rollbackPerTest();
  const entry = () => app.dataSource.getRepository(Entry);

  describe.each(['test', 'next test'])('%s', () => {
    test('TypeORM, Prisma and raw pg see one another, and nothing is kept', async () => {
      await entry().save({ label: 'typeorm outside' });
      await app.prisma.entry.create({ data: { label: 'prisma outside' } });
      await app.service.write();
      await expect(app.service.write(true)).rejects.toThrow('undone');

      const expected = ['typeorm outside', 'prisma outside', 'typeorm', 'prisma', 'pg'];
      expect(await app.service.labels()).toEqual(expected);
      expect((await app.prisma.entry.findMany({ orderBy: { id: 'asc' } })).map(({ label }) => label)).toEqual(
        expected,
      );
      expect(await committed(db)).toEqual([]);
    });
  });

  const ownTransactions: [string, (fail: boolean) => Promise<unknown>][] = [
    [
      'dataSource.transaction()',
      (fail) =>
        app.dataSource.transaction(async (manager) => {
          await manager.getRepository(Entry).insert({ label: 'own' });
          if (fail) throw new Error('undone');
        }),
    ],
    [
      'a QueryRunner',
      async (fail) => {
        const runner = app.dataSource.createQueryRunner();
        await runner.startTransaction();
        await runner.manager.insert(Entry, { label: 'own' });
        await (fail ? runner.rollbackTransaction() : runner.commitTransaction());
        await runner.release();
        if (fail) throw new Error('undone');
      },
    ],
    [
      'prisma.$transaction(callback)',
      (fail) =>
        app.prisma.$transaction(async (tx) => {
          await tx.entry.create({ data: { label: 'own' } });
          if (fail) throw new Error('undone');
        }),
    ],
    [
      'prisma.$transaction([...])',
      (fail) =>
        app.prisma.$transaction([
          app.prisma.entry.create({ data: { label: 'own' } }),
          ...(fail ? [app.prisma.$executeRaw`SELECT 1/0`] : []),
        ]),
    ],
    [
      'a call of Prisma with several statements',
      async (fail) => {
        await app.prisma.entry.create({ data: { label: 'own' } });
        await app.prisma.parent.create({
          data: { id: 1, children: { create: [{ id: 1 }, { id: fail ? 1 : 2 }] } },
        });
      },
    ],
  ];

  test.each(ownTransactions)('%s outside a transaction of ours begins one', async (_, begin) => {
    await begin(false);
    expect(await app.service.labels()).toEqual(['own']);
  });

  test.each(ownTransactions.slice(0, 4))('%s that fails undoes its own work only', async (_, begin) => {
    await entry().insert({ label: 'before' });
    await expect(begin(true)).rejects.toThrow(/undone|division by zero/);
    await entry().insert({ label: 'after' });

    expect(await app.service.labels()).toEqual(['before', 'after']);
  });

  test('a call of Prisma with several statements that fails keeps none of them', async () => {
    const create = ownTransactions[4]![1];
    await expect(create(true)).rejects.toMatchObject({ code: 'P2002' });

    expect(await app.prisma.parent.count()).toBe(0);
  });

  test('findUnique calls of one tick each read in their own transaction', async () => {
    const created = await app.prisma.entry.create({ data: { label: 'one' } });
    const found = await Promise.all(
      [1, 2, 3].map(() => runInTransaction(() => app.prisma.entry.findUnique({ where: { id: created.id } }))),
    );

    expect(found.map((row) => row?.label)).toEqual(['one', 'one', 'one']);
  });

  test('subscribers hear of the boundaries of the application, once', async () => {
    const subscriber = new RecordingSubscriber();
    app.dataSource.subscribers.push(subscriber);
    await app.service.write();
    await app.service.write(true).catch(() => undefined);
    app.dataSource.subscribers.pop();

    expect(subscriber.heard.map((event) => event.replace('Transaction', ' '))).toEqual(
      ['Start', 'Commit', 'Start', 'Rollback'].flatMap((moment) => [`before ${moment}`, `after ${moment}`]),
    );
  });
});

describe('an application that is started after the test has begun', () => {
  rollbackPerTest();
  let app: Application;
  beforeEach(async () => {
    app = await startApplication({ poolSize: 1 });
  });
  afterEach(() => app.dataSource.destroy());

  test('is rolled back, with a pool of one connection', async () => {
    await app.service.write();
    await Promise.all([app.service.write(), app.service.write(), app.service.labels()]);

    expect(await app.service.labels()).toHaveLength(9);
    expect(await committed(db)).toEqual([]);
  });

  test('can be closed and started again, and finds what it wrote', async () => {
    await app.service.write();
    await app.dataSource.destroy();
    app = await startApplication();

    expect(await app.service.labels()).toEqual(['typeorm', 'prisma', 'pg']);
    expect(await committed(db)).toEqual([]);
  });

  test('closes while a transaction of it runs: it is waited for', async () => {
    let closing: Promise<void> | undefined;
    await runInTransaction(async () => {
      await app.dataSource.getRepository(Entry).insert({ label: 'one' });
      closing = app.dataSource.destroy();
      await app.dataSource.getRepository(Entry).insert({ label: 'two' });
    });
    await closing;
    app = await startApplication();

    expect(await app.service.labels()).toEqual(['one', 'two']);
  });

  test('says itself that its pool has ended', async () => {
    const { pool } = app;
    await app.service.write();
    await app.dataSource.destroy();

    await expect(pool.query('SELECT 1')).rejects.toThrow('Cannot use a pool after calling end on the pool');
    app = await startApplication();
  });
});

test('read-only transactions of an application with replicas see what the test wrote', async () => {
  const { url } = db;
  const app = await startApplication({ replication: { master: { url }, slaves: [{ url }] } } as object);
  await new InnerTest().run(async () => {
    await app.service.write();
    const seen = await runInTransaction(() => app.service.labels(), { readOnly: true });
    expect(seen).toEqual(['typeorm', 'prisma', 'pg']);
    expect(await app.service.labels()).toEqual(seen);
  });
  await app.dataSource.destroy();

  expect(await committed(db)).toEqual([]);
});

test('a client that was borrowed before the test commits on its own connection', async () => {
  const entries = entriesOn(db);
  const client = await entries.pool.connect();
  await new InnerTest().run(async () => {
    await client.query("INSERT INTO entry (label) VALUES ('kept')");
    await entries.add('undone');
    expect(await entries.list()).toContain('kept');
  });
  client.release();

  expect(await committed(db)).toEqual(['kept']);
  await db.truncate();
});

test('what the pool does with a new connection is done with the one of the test', async () => {
  const pool = db.pool({ onConnect: (client) => client.query(`SET app.by_option = 'yes'`) });
  pool.on('connect', (client) => void client.query(`SET app.by_event = 'yes'`));
  const managed = managePool(pool);
  const asked = `SELECT current_setting('app.by_option') AS option, current_setting('app.by_event') AS event`;
  const seen = await new InnerTest().run(async () => (await pool.query(asked)).rows);
  unmanagePool(managed);

  expect(seen).toEqual([{ option: 'yes', event: 'yes' }]);
});

describe('a test whose transaction cannot be rolled back as a whole fails', () => {
  test('a statement committed it', async () => {
    const { pool } = entriesOn(db);
    const run = new InnerTest().run(() => pool.query("INSERT INTO entry (label) VALUES ('kept'); COMMIT"));

    await expect(run).rejects.toMatchObject({
      code: 'TEST_TRANSACTION',
      message: expect.stringContaining('ended the transaction that rollbackPerTest() opened'),
    });
    await db.truncate();
  });

  test('its connection was lost', async () => {
    const { pool } = entriesOn(db);
    const test = new InnerTest();
    await test.begin();
    const { rows } = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    await db.query('SELECT pg_terminate_backend($1)', [rows[0]!.pid]);

    // Whether the end is read before this is sent, or instead of its answer, is chance.
    await failureOf(pool.query('SELECT 1'));
    await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: 'CONNECTION_LOST' });
    await expect(test.end()).rejects.toThrow('was lost during the test');
  });

  test('a statement of it got no answer in time', async () => {
    const { pool } = entriesOn(db, { config: { query_timeout: 50 } });
    const test = new InnerTest();
    await test.begin();
    await expect(pool.query('SELECT pg_sleep(0.5)')).rejects.toThrow('Query read timeout');
    await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: 'CONNECTION_LOST' });

    await expect(test.end()).rejects.toThrow('was lost during the test');
  });

  test('it could not be opened', async () => {
    const pool = db.pool({ connectionString: db.url.replace(/\/[^/]*$/, '/nowhere') });
    const managed = managePool(pool);
    const test = new InnerTest();
    await test.begin();
    await expect(pool.query('SELECT 1')).rejects.toMatchObject({ code: '3D000' });

    await expect(test.end()).rejects.toThrow('database "nowhere" does not exist');
    unmanagePool(managed);
  });
});
