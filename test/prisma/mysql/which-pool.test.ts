import { PrismaMariaDb, type PrismaMariadbOptions } from '@prisma/adapter-mariadb';
import type { Pool } from 'mariadb';
import { managePool, runInTransaction, unmanagePool } from 'holdfast';
import { managePrisma, prismaSource, UnsupportedPrismaClientError } from 'holdfast/prisma';
import { failureOf } from '../../conformance/observing.js';
import { startMariadbPool, startMysqlDataSource, startMysqlPool } from '../../conformance/mysql-pools.js';
import { mysqlLabelsIn } from '../../conformance/mysql-ways-in.js';
import { useDatabase } from '../../harness/database.js';
import { useMysqlDatabase } from '../../harness/mysql-database.js';
import { PrismaClient } from './generated/client.js';

const db = useMysqlDatabase();
const postgres = useDatabase();
beforeEach(() => db.truncate());

function clientOn(pool: Pool | string, options?: PrismaMariadbOptions): PrismaClient {
  const prisma = new PrismaClient({ adapter: new PrismaMariaDb(pool as never, options) });
  db.defer(() => prisma.$disconnect());
  return prisma;
}

/** Makes the adapter open a pool of its own. */
const ownPool = (): string => `${db.url}?allowPublicKeyRetrieval=true`;

const write = (prisma: PrismaClient): Promise<unknown> =>
  runInTransaction(async () => {
    await prisma.entry.create({ data: { label: 'a' } });
    throw new Error('undone');
  });

describe('a client on the pool of its data source', () => {
  test('belongs to "default", or to the one that it names', () => {
    const first = startMariadbPool(db);
    const second = startMariadbPool(db, { name: 'chat' });
    const chat = managePrisma(clientOn(second.pool), { dataSource: 'chat' });
    expect(prismaSource(managePrisma(clientOn(first.pool)))).toBe(first.managed.source);
    expect(prismaSource(chat)).toBe(second.managed.source);
    expect(managePrisma(chat)).toBe(chat);
    expect(() => managePrisma(chat, { dataSource: 'default' })).toThrow(/belongs to "chat"/);
  });

  test.each(['before', 'after'] as const)('connected %s it is managed, joins', async (when) => {
    const { pool } = startMariadbPool(db);
    const prisma = clientOn(pool);
    if (when === 'before') await prisma.$connect();
    managePrisma(prisma);
    if (when === 'after') await prisma.$connect();
    expect(await failureOf(write(prisma))).toMatchObject({ message: 'undone' });
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('whose adapter ends the pool on $disconnect connects once, as the adapter wants it', async () => {
    const { pool } = startMariadbPool(db);
    const prisma = managePrisma(clientOn(pool, { disposeExternalPool: true }));
    expect(await failureOf(write(prisma))).toMatchObject({ message: 'undone' });
    await prisma.$disconnect();
    expect(pool.closed).toBe(true);
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('asks the first time outside the transaction, so that an error of it is none of the transaction', async () => {
    const proxy = await db.proxy();
    const { pool } = startMariadbPool(db, { url: proxy.url(db.url) });
    proxy.once(/VERSION/, { action: 'fail', sqlstate: '42000', errno: 1064, message: 'no' });
    const prisma = managePrisma(clientOn(pool));
    await runInTransaction(() => prisma.entry.createMany({ data: [{ label: 'a' }] }));
    expect(await mysqlLabelsIn(db)).toEqual(['a']);
  });
});

/** Each call that can be the first one. */
const calls: Record<string, (prisma: PrismaClient) => Promise<unknown>> = {
  'a call in a transaction': write,
  'a call outside': async (prisma) => prisma.entry.create({ data: { label: 'a' } }),
  $connect: (prisma) => prisma.$connect(),
  '$transaction of a callback': (prisma) =>
    prisma.$transaction((tx) => tx.entry.create({ data: { label: 'a' } })),
  '$transaction of an array': (prisma) =>
    prisma.$transaction([prisma.entry.create({ data: { label: 'a' } })]),
};

describe('refused before anything of the client is sent', () => {
  test.each(Object.entries(calls))('a client on a pool of its own: %s', async (_, call) => {
    startMariadbPool(db);
    const prisma = managePrisma(clientOn(ownPool()));
    for (let times = 2; times > 0; times--) {
      const error = await failureOf(call(prisma));
      expect(error).toBeInstanceOf(UnsupportedPrismaClientError);
      expect(error.message).toMatch(
        /does not run on the pool of data source "default".*new PrismaMariaDb\(pool\)/s,
      );
    }
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('a client that has connected to a pool of its own before it was managed', async () => {
    startMariadbPool(db);
    const prisma = clientOn(ownPool());
    await prisma.$connect();
    managePrisma(prisma);
    expect(await failureOf(write(prisma))).toBeInstanceOf(UnsupportedPrismaClientError);
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('a client on the pool of another data source than it names', async () => {
    startMariadbPool(db);
    const { pool } = startMariadbPool(db, { name: 'chat' });
    const prisma = managePrisma(clientOn(pool));
    expect(await failureOf(write(prisma))).toMatchObject({ code: 'UNSUPPORTED_PRISMA_CLIENT' });
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('a client on a mariadb pool beside a managed mysql2 pool: one transaction has one connection', async () => {
    startMysqlPool(db);
    const { pool } = startMariadbPool(db, { name: 'prisma' });
    const prisma = managePrisma(clientOn(pool));
    expect(await failureOf(write(prisma))).toBeInstanceOf(UnsupportedPrismaClientError);
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });
});

describe.each([
  ['in callback style', (db_: typeof db) => startMysqlPool(db_).callbackPool],
  ['of promises', (db_: typeof db) => startMysqlPool(db_).pool],
  ['of TypeORM', async (db_: typeof db) => (await startMysqlDataSource(db_, 'mysql')).managed.native],
] as const)('a pool of mysql2 without asMariadbPool(), %s', (_, start) => {
  test.each(Object.entries(calls))(
    'is refused before anything of the client is sent: %s',
    async (__, call) => {
      // Where mysql2 says that what its pool in callback style answers cannot be awaited.
      const log = jest.spyOn(console, 'log').mockImplementation(() => {});
      db.defer(() => log.mockRestore());
      const prisma = managePrisma(clientOn((await start(db)) as Pool));
      for (let times = 2; times > 0; times--) {
        const error = await failureOf(call(prisma));
        expect(error).toBeInstanceOf(UnsupportedPrismaClientError);
        expect(error.message).toMatch(/Wrap it: new PrismaMariaDb\(asMariadbPool\(pool\)\)/);
      }
      expect(await mysqlLabelsIn(db)).toEqual([]);
    },
  );
});

describe('managePrisma refuses', () => {
  test('a data source that is not managed, and says what to call first', () => {
    expect(() => managePrisma(clientOn(ownPool()))).toThrow(
      /No pool is managed as "default".*managePool\(pool\) before managePrisma/s,
    );
  });

  test('a data source of PostgreSQL, and says how to name another one', () => {
    const managed = managePool(postgres.pool());
    postgres.defer(() => unmanagePool(managed));
    expect(() => managePrisma(clientOn(ownPool()))).toThrow(
      /"default" is no MySQL or MariaDB.*managePrisma\(prisma, \{ dataSource/s,
    );
  });

  test('an option that it does not know', () => {
    const { pool } = startMariadbPool(db);
    expect(() => managePrisma(clientOn(pool), { datasource: 'default' } as object)).toThrow(
      /managePrisma options has no option "datasource"; did you mean "dataSource"/,
    );
  });
});
