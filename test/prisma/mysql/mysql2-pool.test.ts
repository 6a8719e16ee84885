import { PrismaMariaDb, type PrismaMariadbOptions } from '@prisma/adapter-mariadb';
import type { PoolOptions } from 'mysql2';
import { runInTransaction, UnsupportedDriverError } from 'holdfast';
import { asMariadbPool, managePrisma } from 'holdfast/prisma';
import { failureOf } from '../../conformance/observing.js';
import { startMariadbPool, startMysqlPool, startPrismaOnMysql2 } from '../../conformance/mysql-pools.js';
import { mysqlLabelsIn } from '../../conformance/mysql-ways-in.js';
import { Entry } from '../../conformance/ways-in.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { mysqlSchema } from '../../harness/schema.js';
import { Prisma, PrismaClient } from './generated/client.js';

const db = useMysqlDatabase([
  ...mysqlSchema,
  'CREATE PROCEDURE two_results() BEGIN SELECT 1 AS a; SELECT 2 AS b; END',
  'CREATE PROCEDURE no_result() BEGIN DO 1; END',
  `CREATE TABLE everything (
     id int PRIMARY KEY, tiny tinyint, flag tinyint(1), small smallint, medium mediumint, \`unsigned\` int unsigned,
     big bigint, bigger bigint unsigned, \`float\` float, \`double\` double, exact decimal(30, 10), \`char\` char(4),
     \`varchar\` varchar(20), text longtext, \`binary\` binary(4), \`varbinary\` varbinary(20), \`blob\` longblob, bit bit(1),
     date date, time time(3), second datetime, fraction datetime(3), stamp timestamp(6) NULL, year year, json json,
     mood enum('glad', 'sad')) CHARACTER SET utf8mb4`,
]);
const boom = new Error('boom');
beforeEach(() => db.truncate());

describe('TypeORM, mysql2 and Prisma in one transaction', () => {
  test('one connection, each sees what the others wrote, one commit', async () => {
    const { dataSource, prisma } = await startPrismaOnMysql2(db);
    const ids = await runInTransaction(async () => {
      await dataSource.getRepository(Entry).save({ label: 'typeorm' });
      await prisma.entry.create({ data: { label: 'prisma' } });
      expect(await dataSource.getRepository(Entry).count()).toBe(2);
      expect(await prisma.entry.count()).toBe(2);
      expect(await mysqlLabelsIn(db)).toEqual([]);
      const [{ id }] = await dataSource.query('SELECT connection_id() AS id');
      const [row] = await prisma.$queryRaw<{ id: bigint }[]>`SELECT connection_id() AS id`;
      return [Number(id), Number(row!.id)];
    });
    expect(new Set(ids).size).toBe(1);
    expect(await mysqlLabelsIn(db)).toEqual(['typeorm', 'prisma']);
  });

  test('one rollback undoes all', async () => {
    const { dataSource, prisma } = await startPrismaOnMysql2(db);
    const called = runInTransaction(async () => {
      await dataSource.manager.insert(Entry, { label: 'typeorm' });
      await prisma.entry.create({ data: { label: 'prisma' } });
      throw boom;
    });
    expect(await failureOf(called)).toBe(boom);
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('$transaction, with a callback and with an array, is a savepoint that takes TypeORM’s work with it', async () => {
    const { dataSource, prisma } = await startPrismaOnMysql2(db);
    await runInTransaction(async () => {
      await dataSource.manager.insert(Entry, { label: 'before' });
      const failing = prisma.$transaction(async (tx) => {
        await tx.entry.create({ data: { label: 'undone' } });
        await dataSource.manager.insert(Entry, { label: 'undone as well' });
        throw boom;
      });
      expect(await failureOf(failing)).toBe(boom);
      await prisma.$transaction([
        prisma.entry.create({ data: { label: 'a' } }),
        prisma.entry.create({ data: { label: 'b' } }),
      ]);
    });
    expect(await mysqlLabelsIn(db)).toEqual(['before', 'a', 'b']);
  });

  test('batches of findUnique stay apart', async () => {
    const { prisma } = await startPrismaOnMysql2(db);
    const readBack = (id: number): Promise<unknown> =>
      runInTransaction(async () => {
        await prisma.entry.create({ data: { id, label: `n${id}` } });
        return prisma.entry.findUnique({ where: { id } });
      });
    expect(await Promise.all([1, 2, 3].map(readBack))).toMatchObject([1, 2, 3].map((id) => ({ id })));
  });
});

test('Prisma’s own $transaction outside works on the pool, and gives its connection back', async () => {
  const { prisma, managed } = await startPrismaOnMysql2(db);
  await prisma.$transaction((tx) => tx.entry.create({ data: { label: 'a' } }), {
    isolationLevel: 'Serializable',
  });
  const failing = prisma.$transaction(async (tx) => {
    await tx.entry.create({ data: { label: 'b' } });
    throw boom;
  });
  expect(await failureOf(failing)).toBe(boom);
  expect(await mysqlLabelsIn(db)).toEqual(['a']);
  expect(managed.counts()).toMatchObject({ inUse: 0 });
});

test('the server’s errors are told in Prisma’s words', async () => {
  const { prisma } = await startPrismaOnMysql2(db);
  await prisma.account.create({ data: { owner: 'ada' } });
  const again = await failureOf(Promise.resolve(prisma.account.create({ data: { owner: 'ada' } })));
  expect(again).toBeInstanceOf(Prisma.PrismaClientKnownRequestError);
  expect(again).toMatchObject({ code: 'P2002', meta: { modelName: 'Account' } });
});

test.each(['binary', 'text'])(
  'of a procedure the first rows are read, in the %s protocol',
  async (protocol) => {
    const { pool } = startMysqlPool(db);
    const adapter = new PrismaMariaDb(asMariadbPool(pool), { useTextProtocol: protocol === 'text' });
    const prisma = managePrisma(new PrismaClient({ adapter }));
    db.defer(() => prisma.$disconnect());
    // MySQL has no CREATE OR REPLACE for them.
    for (const name of ['two_results', 'no_result']) await db.query(`DROP PROCEDURE IF EXISTS ${name}`);
    await db.query('CREATE PROCEDURE two_results() BEGIN SELECT 1 AS a; SELECT 2 AS b; END');
    await db.query('CREATE PROCEDURE no_result() BEGIN DO 1; END');
    expect(await prisma.$queryRaw`CALL two_results()`).toEqual([{ a: expect.anything() }]);
    expect(await prisma.$queryRaw`CALL no_result()`).toEqual([]);
  },
);

test('an option of the connector that a later adapter may ask for is refused by name', async () => {
  const { managed } = startMysqlPool(db);
  const face = asMariadbPool<{ query(options: object): Promise<unknown> }>(managed.native);
  expect(await failureOf(face.query({ sql: 'SELECT 1', nestTables: true }))).toMatchObject({
    code: 'UNSUPPORTED_PRISMA_CLIENT',
    message: expect.stringContaining('"nestTables"'),
  });
});

test('asMariadbPool refuses a pool of mariadb, which needs no face', () => {
  const { pool } = startMariadbPool(db);
  expect(() => asMariadbPool(pool)).toThrow(/needs no face: new PrismaMariaDb\(pool\)/);
});

test.each<[string, () => unknown]>([
  ['undefined', () => undefined],
  ['a string', () => db.url],
  ['an object that is no pool', () => ({ pool: null })],
])('asMariadbPool refuses %s, and says what it takes', (_, given) => {
  expect(() => asMariadbPool(given() as object)).toThrow(UnsupportedDriverError);
  expect(() => asMariadbPool(given() as object)).toThrow(/takes a pool of mysql2/);
});

test('$disconnect leaves the pool open, or ends it where the adapter is told to', async () => {
  const { pool, managed } = startMysqlPool(db);
  const clientWith = (options?: PrismaMariadbOptions): PrismaClient =>
    managePrisma(new PrismaClient({ adapter: new PrismaMariaDb(asMariadbPool(pool), options) }));
  for (const [options, ended] of [
    [undefined, false],
    [{ disposeExternalPool: true }, true],
  ] as const) {
    const prisma = clientWith(options);
    expect(await prisma.entry.count()).toBe(0);
    await prisma.$disconnect();
    expect(managed.ended).toBe(ended);
  }
});

/** Values at the edge of each type, as Prisma has them. */
const rows: readonly Prisma.EverythingCreateInput[] = [
  {
    id: 1,
    tiny: -128,
    flag: true,
    small: -32768,
    medium: -8388608,
    unsigned: 4294967295,
    big: -9223372036854775808n,
    bigger: 18446744073709551615n,
    float: 1.5,
    double: 0.1,
    exact: new Prisma.Decimal('12345678901234567890.0123456789'),
    char: 'é 4',
    varchar: `it's "q" \\ 🙂`,
    text: 'a\nb\u0000c',
    binary: Uint8Array.of(0, 255, 39, 92),
    varbinary: Uint8Array.of(1),
    blob: Uint8Array.from({ length: 300 }, (_, n) => n % 256),
    bit: true,
    date: new Date('2024-02-29'),
    time: new Date('1970-01-01T23:59:59.123Z'),
    second: new Date('2024-01-01T00:00:00Z'),
    fraction: new Date('9999-12-31T23:59:59.999Z'),
    stamp: new Date('2024-06-01T12:00:00.001Z'),
    year: 2155,
    json: { deep: [1, 'two', null, { a: 1.5 }] },
    mood: 'sad',
  },
  {
    id: 2,
    tiny: 0,
    flag: false,
    big: 9007199254740993n,
    exact: new Prisma.Decimal('0.1'),
    varchar: '',
    varbinary: new Uint8Array(),
    bit: false,
    time: new Date('1970-01-01T00:00:00Z'),
    fraction: new Date('1000-01-01T00:00:00Z'),
    json: 'text',
  },
  { id: 3 },
];

describe.each<[string, PoolOptions]>([
  ['as they come', {}],
  [
    'that have it read values otherwise',
    {
      decimalNumbers: true,
      jsonStrings: false,
      timezone: '+05:00',
      typeCast: (field, next) => (field.type === 'VAR_STRING' ? field.string()?.toUpperCase() : next()),
    },
  ],
])('values on a mysql2 pool with options %s', (_, poolOptions) => {
  test.each<[string, PrismaMariadbOptions]>([
    ['binary', {}],
    ['text', { useTextProtocol: true }],
  ])(
    'are those that Prisma reads and writes on a pool of its own, in the %s protocol',
    async (__, options) => {
      const onOwnPool = new PrismaClient({
        adapter: new PrismaMariaDb(`${db.url}?allowPublicKeyRetrieval=true`, options),
      });
      const { pool } = startMysqlPool(db, poolOptions);
      const onMysql2 = managePrisma(
        new PrismaClient({ adapter: new PrismaMariaDb(asMariadbPool(pool), options) }),
      );
      for (const client of [onOwnPool, onMysql2]) db.defer(() => client.$disconnect());
      const readAll = async (client: PrismaClient): Promise<unknown[]> => [
        await client.everything.findMany({ orderBy: { id: 'asc' } }),
        await client.$queryRaw`SELECT * FROM everything ORDER BY id`,
        await client.$queryRaw`SELECT count(*) AS many, sum(big) AS total, avg(tiny) AS mean, now() > '2020-01-01' AS now, NULL AS none FROM everything`,
        await client.everything.findMany({
          where: { id: { in: [1, 3] } },
          take: 1,
          skip: 1,
          orderBy: { id: 'asc' },
        }),
        await client.everything.findMany({ where: { big: rows[0]!.big as bigint }, select: { id: true } }),
        await client.everything.findMany({ where: { exact: { lt: 1 } }, select: { id: true } }),
      ];
      const written: unknown[][] = [];
      for (const writer of [onOwnPool, onMysql2]) {
        await db.query('DELETE FROM everything');
        for (const data of rows) await writer.everything.create({ data });
        const [seenByOne, seenByTheOther] = [await readAll(onOwnPool), await readAll(onMysql2)];
        expect(seenByTheOther).toEqual(seenByOne);
        written.push(seenByOne);
      }
      expect(written[1]).toEqual(written[0]);
    },
  );
});
