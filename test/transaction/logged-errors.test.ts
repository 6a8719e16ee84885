import 'reflect-metadata';
import { drizzle } from 'drizzle-orm/node-postgres';
import { pgTable, text } from 'drizzle-orm/pg-core';
import {
  afterCommit,
  afterCompletion,
  afterRollback,
  type ManagedPool,
  managedPool,
  runInTransaction,
  setLogger,
} from 'holdfast';
import { managePrisma } from 'holdfast/prisma';
import { manageDataSource } from 'holdfast/typeorm';
import type { Pool } from 'pg';
import { pino } from 'pino';
import { PrismaPg } from '@prisma/adapter-pg';
import { Column, DataSource, Entity, type EntitySubscriberInterface, PrimaryGeneratedColumn } from 'typeorm';
import { useDatabase } from '../harness/database.js';
import { PrismaClient } from '../prisma/generated/client.js';

@Entity('account')
class Account {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') owner!: string;
  @Column('int') balance!: number;
}
const accounts = pgTable('account', { owner: text().notNull() });

const db = useDatabase();
const secret = 's3cret-ada@example.com';
let dataSource: DataSource;
let managed: ManagedPool;
let pool: Pool;
let prisma: PrismaClient;
let lines: Record<string, unknown>[];
let written: string;

/** What a subscriber of TypeORM does after a commit or a rollback. */
let react: (() => PromiseLike<unknown>) | undefined;
const reacting = async (): Promise<void> => void (await react?.());
const subscriber: EntitySubscriberInterface = {
  afterTransactionCommit: reacting,
  beforeTransactionRollback: reacting,
  afterTransactionRollback: reacting,
};

beforeAll(async () => {
  await db.query(`CREATE FUNCTION misname(owner text) RETURNS void LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'invalid name: %', owner USING ERRCODE = '42602'; END $$`);
  await db.query(`CREATE FUNCTION refuse(owner text) RETURNS void LANGUAGE plpgsql
            AS $$ BEGIN RAISE EXCEPTION 'no %', owner
              USING ERRCODE = '23505', SCHEMA = owner, TABLE = owner, COLUMN = owner, CONSTRAINT = owner; END $$`);
});
beforeEach(async () => {
  dataSource = await new DataSource({
    type: 'postgres',
    url: db.url,
    entities: [Account],
    poolSize: 4,
  }).initialize();
  dataSource.subscribers.push(subscriber);
  manageDataSource(dataSource);
  managed = managedPool();
  pool = managed.native as Pool;
  prisma = managePrisma(new PrismaClient({ adapter: new PrismaPg(pool) }));
  await db.query('INSERT INTO account (owner) VALUES ($1)', [secret]);
  [lines, written, react] = [[], '', undefined];
  const stream = {
    write(line: string) {
      written += line;
      lines.push(JSON.parse(line) as Record<string, unknown>);
    },
  };
  setLogger(pino({ level: 'trace' }, stream));
});
afterEach(async () => {
  setLogger(undefined);
  await prisma.$disconnect();
  await dataSource.destroy();
  await db.truncate();
});

const duplicate = {
  code: '23505',
  message: 'unique_violation',
  schema: 'public',
  table: 'account',
  constraint: 'account_owner_key',
};
const notANumber = { code: '22P02', message: 'invalid_text_representation' };
const withheld = '(the message is not logged, for it may hold values)';

/** Each fails with `secret` as a parameter, and what of it is logged. */
const failures: readonly (readonly [name: string, fail: () => PromiseLike<unknown>, logged: object])[] = [
  [
    'pg: a duplicate',
    () => pool.query('INSERT INTO account (owner) VALUES ($1)', [secret]),
    { name: 'DatabaseError', ...duplicate },
  ],
  [
    'pg: a value of the wrong type',
    () => pool.query('SELECT $1::int', [secret]),
    { name: 'DatabaseError', ...notANumber },
  ],
  [
    'pg: a null, with the row in its detail',
    () => pool.query('INSERT INTO account (owner, balance) VALUES ($1, NULL)', [secret]),
    { code: '23502', message: 'not_null_violation', table: 'account', column: 'balance' },
  ],
  [
    'pg: a name',
    () => pool.query('SELECT quote_ident($1)::regclass', [secret]),
    { code: '42P01', message: 'undefined_table' },
  ],
  [
    'pg: a text search',
    () => pool.query('SELECT to_tsquery($1)', [`${secret} ${secret}`]),
    { code: '42601', message: 'syntax_error' },
  ],
  [
    'pg: the message of a function',
    () => pool.query('SELECT refuse($1)', [secret]),
    { code: '23505', message: 'unique_violation' },
  ],
  [
    'TypeORM: the message of a function',
    () => dataSource.query('SELECT refuse($1)', [secret]),
    { code: '23505', message: 'unique_violation' },
  ],
  [
    'pg: a code without a name of its own',
    () => pool.query('SELECT misname($1)', [secret]),
    { code: '42602', message: withheld },
  ],
  [
    'TypeORM: a duplicate',
    () => dataSource.getRepository(Account).insert({ owner: secret, balance: 1 }),
    { name: 'QueryFailedError', ...duplicate },
  ],
  [
    'TypeORM: a value of the wrong type',
    () => dataSource.query('SELECT $1::int', [secret]),
    { name: 'QueryFailedError', ...notANumber },
  ],
  [
    'TypeORM: an entity that is not there',
    () => dataSource.getRepository(Account).findOneByOrFail({ owner: `not ${secret}` }),
    { name: 'EntityNotFoundError', message: withheld },
  ],
  [
    'Prisma: a duplicate',
    () => prisma.account.create({ data: { owner: secret } }),
    {
      name: 'PrismaClientKnownRequestError',
      code: 'P2002',
      message: withheld,
      causes: expect.arrayContaining([
        {
          name: 'UniqueConstraintViolation',
          code: '23505',
          message: 'unique_violation',
          table: 'account',
          constraint: 'account_owner_key',
        },
      ]),
    },
  ],
  [
    'Prisma: a value of the wrong type',
    () => prisma.$queryRaw`SELECT ${secret}::int`,
    {
      code: 'P2010',
      message: withheld,
      causes: expect.arrayContaining([{ name: 'InvalidInputValue', ...notANumber }]),
    },
  ],
  [
    'Prisma: arguments that do not fit',
    () => prisma.account.create({ data: { owner: secret, nope: secret } as never }),
    { name: 'PrismaClientValidationError', message: withheld },
  ],
  [
    'Drizzle: a duplicate',
    () => drizzle({ client: pool }).insert(accounts).values({ owner: secret }),
    { message: withheld, causes: [{ name: 'DatabaseError', ...duplicate, stack: expect.any(String) }] },
  ],
  [
    'an application’s own error that quotes the database’s',
    () =>
      pool.query('SELECT $1::int', [secret]).catch((cause: Error) => {
        throw new RangeError(`order 7 failed (${cause.message})`, { cause });
      }),
    {
      name: 'RangeError',
      message: 'order 7 failed (invalid_text_representation)',
      causes: [expect.objectContaining(notANumber)],
    },
  ],
  [
    'several at once',
    () => Promise.any([pool.query('SELECT $1::int', [secret]), dataSource.query('SELECT $1::int', [secret])]),
    {
      name: 'AggregateError',
      message: 'All promises were rejected',
      causes: [
        expect.objectContaining({ name: 'DatabaseError', ...notANumber }),
        expect.objectContaining({ name: 'QueryFailedError', ...notANumber }),
      ],
    },
  ],
];

const failed = async (fail: () => PromiseLike<unknown>): Promise<Error> => {
  try {
    await fail();
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
};
const refuse = (): Promise<never> => Promise.reject(new Error('refused'));
const ignore = (): undefined => undefined;

/** Every place that logs an error of somebody else. */
const places: Readonly<Record<string, (fail: () => PromiseLike<unknown>) => Promise<unknown>>> = {
  'an after-commit hook': (fail) => runInTransaction(async () => afterCommit(fail)),
  'an after-rollback hook': (fail) =>
    runInTransaction(() => {
      afterRollback(fail);
      return refuse();
    }).catch(ignore),
  'a completion hook': (fail) => runInTransaction(async () => afterCompletion(fail)),
  'a subscriber after the commit': (fail) => {
    react = fail;
    return runInTransaction(() => dataSource.query('SELECT 1'));
  },
  'a subscriber of the rollback': (fail) => {
    react = fail;
    return runInTransaction(async () => {
      await dataSource.query('SELECT 1');
      return refuse();
    }).catch(ignore);
  },
  'a predicate of commitOn': async (fail) => {
    const error = await failed(fail);
    const commitOn = (): never => {
      throw error;
    };
    return runInTransaction(refuse, { commitOn }).catch(ignore);
  },
  'a predicate of retry': async (fail) => {
    const error = await failed(fail);
    const on = (): never => {
      throw error;
    };
    return runInTransaction(refuse, { retry: { on } }).catch(ignore);
  },
  'an observer of leases': async (fail) => {
    const error = await failed(fail);
    const acquired = (): never => {
      throw error;
    };
    const stop = managed.observe({ acquired });
    await pool.query('SELECT 1');
    stop();
  },
};

describe.each(Object.keys(places))('%s that fails is logged without any parameter’s value', (place) => {
  test.each(failures)('%s', async (_, fail, logged) => {
    await places[place]!(fail);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) expect(line).toMatchObject({ level: 50, error: logged });
    expect(written).not.toContain(secret);
  });
});

test('the frames lead to the line that asked', async () => {
  await runInTransaction(async () => afterCommit(() => pool.query('SELECT $1::int', [secret])));
  expect(lines).toMatchObject([
    { error: { stack: expect.stringMatching(/^DatabaseError: invalid_text_representation\n {4}at /) } },
  ]);
  expect(lines).toMatchObject([{ error: { stack: expect.stringContaining('logged-errors.test.ts') } }]);
});
