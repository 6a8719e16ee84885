import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { Pool as MariadbPool } from 'mariadb';
import type { Pool as Mysql2Pool } from 'mysql2/promise';
import type { Pool, PoolClient } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import QueryStream from 'pg-query-stream';
import { DataSource } from 'typeorm';
import { type LeaseUsage, type ManagedPool, runInTransaction, unmanagePool } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { Entry } from '../conformance/captured.js';
import { startMysqlPrisma } from '../conformance/mysql-pools.js';
import { startPrisma } from '../conformance/through-prisma.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { connectMysql2, drivers, startMariadb, startMysql2, startPg } from './driver-pools.js';

const pg = useDatabase();
const mysql = useMysqlDatabase();

/** What the only lease that is out is doing. */
function usageOf(managed: ManagedPool): LeaseUsage {
  const [lease, ...more] = managed.leases();
  expect(more).toEqual([]);
  return managed.usage(lease!)!;
}

describe.each(drivers)('$name', (driver) => {
  test('a client: when it was used last, what runs, whether a transaction is open', async () => {
    const { managed, clock, connect } = driver.start({ pg, mysql });
    managed.observe({});
    clock.advance(5);
    const client = await connect();
    clock.advance(5);
    expect(usageOf(managed)).toMatchObject({
      lastUsedAt: 5,
      statement: undefined,
      running: false,
      inTransaction: false,
    });

    const asked = client.query('SELECT 1');
    expect(usageOf(managed)).toMatchObject({ lastUsedAt: 10, statement: 'SELECT 1', running: true });
    await asked;
    clock.advance(5);
    expect(usageOf(managed)).toMatchObject({ lastUsedAt: 10, statement: 'SELECT 1', running: false });

    await client.query('START TRANSACTION');
    expect(usageOf(managed)).toMatchObject({
      lastUsedAt: 15,
      statement: 'START TRANSACTION',
      inTransaction: true,
    });
    await client.query('ROLLBACK');
    expect(usageOf(managed).inTransaction).toBe(false);
    client.release();
  });

  test('a transaction of holdfast', async () => {
    const { managed, clock, query } = driver.start({ pg, mysql });
    managed.observe({});
    await runInTransaction(async () => {
      clock.advance(3);
      const asked = query('SELECT 1');
      while (managed.leases().length === 0 || !usageOf(managed).running) await setImmediate();
      expect(usageOf(managed)).toMatchObject({ lastUsedAt: 3, statement: 'SELECT 1' });
      await asked;
      clock.advance(4);
      await query('SELECT 2');
      clock.advance(4);
      expect(usageOf(managed)).toMatchObject({
        lastUsedAt: 7,
        statement: 'SELECT 2',
        running: false,
        inTransaction: true,
      });
    });
  });

  test('a lease of another pool, or of nobody, has no usage', async () => {
    const { managed, connect } = driver.start({ pg, mysql });
    const client = await connect();
    const [lease] = managed.leases();
    client.release();
    expect(managed.usage({ ...lease! })).toBeUndefined();
  });
});

const READ = 'SELECT $1::text AS text';
const values = ['secret'];

type Style<C> = [style: string, send: (client: C) => unknown, text?: string];

const pgStyles: Style<PoolClient>[] = [
  ['text and values', (client) => client.query(READ, values)],
  ['text, values and callback', (client) => callBack((done) => client.query(READ, values, done))],
  ['config', (client) => client.query({ text: READ, values })],
  ['named config', (client) => client.query({ name: 'read', text: READ, values })],
  ['config and callback', (client) => callBack((done) => client.query({ text: READ, values }, done))],
  [
    'cursor',
    async (client) => {
      const cursor = client.query(new Cursor(READ, values));
      await cursor.read(1);
      await cursor.close();
    },
  ],
  ['stream', (client) => client.query(new QueryStream(READ, values)).toArray()],
  [
    'COPY',
    async (client) => {
      const copy = client.query(copyFrom('COPY account (owner) FROM STDIN'));
      await callBack((done) => copy.end('secret\n', done));
    },
    'COPY account (owner) FROM STDIN',
  ],
];

describe('pg: the text of a statement, and no value', () => {
  afterEach(() => pg.truncate());

  test.each<Style<PoolClient>>(pgStyles)('of a client: %s', async (_, send, text = READ) => {
    const { pool, managed } = startPg(pg);
    managed.observe({});
    const client = await pool.connect();
    await send(client);
    expect(usageOf(managed)).toMatchObject({ statement: text });
    client.release();
  });

  test.each<Style<PoolClient>>(pgStyles)('of a transaction: %s', async (_, send, text = READ) => {
    const { pool, managed } = startPg(pg);
    managed.observe({});
    await runInTransaction(async () => {
      await send(await pool.connect());
      expect(usageOf(managed)).toMatchObject({ statement: text });
    });
  });

  test('a cursor that is not read to its end runs; a stream that is read moves the traffic', async () => {
    const { pool, managed } = startPg(pg);
    managed.observe({});
    const client = await pool.connect();
    await client.query('SELECT 1');
    expect(usageOf(managed).traffic).toBeUndefined();
    const stream = client.query(
      new QueryStream("SELECT repeat('x', 1000) FROM generate_series(1, 2000)", [], { batchSize: 10 }),
    );
    const rows = stream[Symbol.asyncIterator]();
    await rows.next();
    const first = usageOf(managed);
    expect(first.running).toBe(true);
    for (let read = 0; read < 200; read++) await rows.next();
    expect(usageOf(managed).traffic).toBeGreaterThan(first.traffic! + 50_000);
    await rows.return?.();
    client.release();
  });
});

const READ_MYSQL = 'SELECT ? AS text';
const INSERT = 'INSERT INTO entry (label) VALUES (?)';

describe('mysql2: the text of a statement, and no value', () => {
  type Connection = Awaited<ReturnType<Mysql2Pool['getConnection']>>;
  const styles: Style<Connection>[] = [
    ['query', (connection) => connection.query(READ_MYSQL, values)],
    ['query with a config', (connection) => connection.query({ sql: READ_MYSQL, values })],
    ['execute', (connection) => connection.execute(READ_MYSQL, values)],
    ['execute with a config', (connection) => connection.execute({ sql: READ_MYSQL, values })],
    [
      'prepare and execute',
      async (connection) => {
        const prepared = await connection.prepare(READ_MYSQL);
        await connection.query('SELECT 1');
        await prepared.execute(values);
      },
    ],
  ];

  test.each<Style<Connection>>(styles)('of a connection: %s', async (_, send) => {
    const { promised, managed } = startMysql2(mysql);
    managed.observe({});
    const connection = await promised.getConnection();
    await send(connection);
    expect(usageOf(managed)).toMatchObject({ statement: READ_MYSQL });
    connection.release();
  });

  test.each<Style<Connection>>(styles)('of a transaction: %s', async (_, send) => {
    const { promised, managed } = startMysql2(mysql);
    managed.observe({});
    await runInTransaction(async () => {
      await send(await promised.getConnection());
      expect(usageOf(managed)).toMatchObject({ statement: READ_MYSQL });
    });
  });

  test('a stream of rows, and its traffic', async () => {
    const { pool, managed } = startMysql2(mysql);
    managed.observe({});
    const connection = await connectMysql2(pool);
    const rows = connection.query(`${READ_MYSQL} UNION ALL SELECT REPEAT('x', 100000)`, values).stream();
    const before = usageOf(managed);
    expect(before.running).toBe(true);
    expect(await rows.toArray()).toHaveLength(2);
    expect(usageOf(managed)).toMatchObject({
      running: false,
      statement: `${READ_MYSQL} UNION ALL SELECT REPEAT('x', 100000)`,
    });
    expect(usageOf(managed).traffic).toBeGreaterThan(before.traffic! + 100_000);
    connection.release();
  });

  test('a prepared statement of a connection that was released is refused', async () => {
    const { promised } = startMysql2(mysql, { max: 1 });
    const connection = await promised.getConnection();
    const prepared = await connection.prepare(READ_MYSQL);
    connection.release();
    const next = await promised.getConnection();
    await expect(prepared.execute(values)).rejects.toMatchObject({ code: 'STALE_LEASE' });
    next.release();
  });
});

describe('mariadb: the text of a statement, and no value', () => {
  type Connection = Awaited<ReturnType<MariadbPool['getConnection']>>;
  const styles: Style<Connection>[] = [
    ['query', (connection) => connection.query(READ_MYSQL, values)],
    ['query with a config', (connection) => connection.query({ sql: READ_MYSQL }, values)],
    ['execute', (connection) => connection.execute(READ_MYSQL, values)],
    ['batch', (connection) => connection.batch(INSERT, [values, values]), INSERT],
    ['a stream', (connection) => connection.queryStream(READ_MYSQL, values).toArray()],
    [
      'prepare and execute',
      async (connection) => {
        const prepared = await connection.prepare(READ_MYSQL);
        await connection.query('SELECT 1');
        await prepared.execute(values);
        prepared.close();
      },
    ],
    [
      'prepare and a stream',
      async (connection) => {
        const prepared = await connection.prepare(READ_MYSQL);
        await connection.query('SELECT 1');
        await (prepared.executeStream(values) as Readable).toArray();
        prepared.close();
      },
    ],
  ];

  test.each<Style<Connection>>(styles)('of a connection: %s', async (_, send, text = READ_MYSQL) => {
    const { pool, managed } = startMariadb(mysql);
    managed.observe({});
    const connection = await pool.getConnection();
    const sent = send(connection);
    expect(usageOf(managed).running).toBe(true);
    await sent;
    expect(usageOf(managed)).toMatchObject({ statement: text, running: false });
    await connection.release();
  });

  test.each<Style<Connection>>(styles)('of a transaction: %s', async (_, send, text = READ_MYSQL) => {
    const { pool, managed } = startMariadb(mysql);
    managed.observe({});
    await runInTransaction(async () => {
      await send(await pool.getConnection());
      expect(usageOf(managed)).toMatchObject({ statement: text });
    });
  });

  test.each<[string, (connection: Connection) => unknown, boolean]>([
    ['START TRANSACTION', (connection) => connection.beginTransaction(), true],
    ['COMMIT', (connection) => connection.commit(), false],
    ['ROLLBACK', (connection) => connection.rollback(), false],
  ])('%s by its own method', async (text, send, inTransaction) => {
    const { pool, managed } = startMariadb(mysql);
    managed.observe({});
    const connection = await pool.getConnection();
    await connection.query('START TRANSACTION');
    await connection.query('DO 1');
    await send(connection);
    expect(usageOf(managed)).toMatchObject({ statement: text, inTransaction });
    await connection.release();
  });

  test('a stream of a connection that was released is refused', async () => {
    const { pool } = startMariadb(mysql, { max: 1 });
    const connection = await pool.getConnection();
    await connection.release();
    const next = await pool.getConnection();
    const stream = connection.queryStream('SELECT 1') as Readable;
    const failed = once(stream, 'error');
    const [error] = (await failed) as [Error];
    expect(error).toMatchObject({ code: 'STALE_LEASE' });
    await next.release();
  });
});

describe('through an ORM', () => {
  test.each(['postgres', 'mysql'] as const)('TypeORM on %s', async (type) => {
    const dataSource = new DataSource({
      type,
      url: type === 'postgres' ? pg.url : mysql.url,
      entities: [Entry],
    });
    await dataSource.initialize();
    const { primary } = manageDataSource(dataSource);
    primary.observe({});
    const find = (): Promise<unknown> => dataSource.getRepository(Entry).findBy({ label: 'secret' });
    try {
      await runInTransaction(async () => {
        await find();
        const { statement, inTransaction } = usageOf(primary);
        expect(statement).toMatch(/^SELECT .*label/);
        expect(statement).not.toContain('secret');
        expect(inTransaction).toBe(true);
      });
      const runner = dataSource.createQueryRunner();
      await runner.connect();
      await runner.startTransaction();
      expect(usageOf(primary)).toMatchObject({ statement: 'START TRANSACTION', inTransaction: true });
      await runner.manager.findBy(Entry, { label: 'secret' });
      const { statement } = usageOf(primary);
      expect(statement).toMatch(/^SELECT .*label/);
      expect(statement).not.toContain('secret');
      await runner.rollbackTransaction();
      await runner.release();
    } finally {
      unmanagePool(primary);
      await dataSource.destroy();
    }
  });

  test('Prisma on PostgreSQL', async () => {
    const { pool, managed } = startPg(pg);
    managed.observe({});
    const prisma = startPrisma(pg, pool);
    await runInTransaction(async () => {
      await prisma.entry.findMany({ where: { label: 'secret' } });
      const { statement, inTransaction } = usageOf(managed);
      expect(statement).toMatch(/^SELECT .*label/);
      expect(statement).not.toContain('secret');
      expect(inTransaction).toBe(true);
      await prisma.$queryRaw`SELECT ${'secret'}::text`;
      expect(usageOf(managed)).toMatchObject({ statement: 'SELECT $1::text' });
    });
  });

  test('Prisma on MariaDB', async () => {
    const { prisma, managed } = startMysqlPrisma(mysql);
    managed.observe({});
    await runInTransaction(async () => {
      await prisma.entry.findMany({ where: { label: 'secret' } });
      const { statement, inTransaction } = usageOf(managed);
      expect(statement).toMatch(/^SELECT .*label/);
      expect(statement).not.toContain('secret');
      expect(inTransaction).toBe(true);
    });
  });
});

/** Not read where nobody watches: then nothing is to be kept. */
test('without an observer no statement is kept', async () => {
  const { pool, managed }: { pool: Pool; managed: ManagedPool } = startPg(pg);
  const client = await pool.connect();
  await client.query('SELECT 1');
  expect(usageOf(managed)).toMatchObject({ statement: undefined, lastUsedAt: 0 });
  client.release();
});

function callBack(start: (done: (error?: Error | null) => void) => unknown): Promise<void> {
  return new Promise((resolve, reject) => void start((error) => (error ? reject(error) : resolve())));
}
