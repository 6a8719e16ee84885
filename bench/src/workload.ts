import { type EntityManager, EntitySchema } from 'typeorm';
import type { PrismaClient } from './generated/client.js';

/** Accounts per writer: enough that 32 transactions at once seldom meet on a row. */
export const ACCOUNTS = 2000;

export interface Account {
  id: number;
  writer: number;
  balance: number;
}

export interface Event {
  id: string;
  writer: number;
  amount: number;
}

export const AccountEntity = new EntitySchema<Account>({
  name: 'account',
  columns: {
    id: { type: 'integer', primary: true },
    writer: { type: 'integer' },
    balance: { type: 'integer' },
  },
});

export const EventEntity = new EntitySchema<Event>({
  name: 'event',
  columns: {
    id: { type: 'bigint', primary: true, generated: 'increment' },
    writer: { type: 'integer' },
    amount: { type: 'integer' },
  },
});

export const SCENARIOS = ['insert-update', 'select'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export interface Target {
  readonly account: number;
  readonly writer: number;
}

/** What a pool, a client and a managed pool have in common. */
export interface Queryable {
  query(text: string, values: unknown[]): Promise<{ rowCount: number | null; rows: { id: number }[] }>;
}

/** The statements of one transaction of each scenario. */
export type Work<Db> = Readonly<Record<Scenario, (db: Db, target: Target) => Promise<void>>>;

/** The statements of one transaction in SQL: the same for every variant that speaks SQL. */
export const rawWork: Work<Queryable> = {
  async 'insert-update'(db, { account, writer }) {
    await db.query('INSERT INTO event (writer, amount) VALUES ($1, $2) RETURNING id', [writer, 1]);
    const { rowCount } = await db.query('UPDATE account SET balance = balance + $1 WHERE id = $2', [
      1,
      account,
    ]);
    if (rowCount !== 1) throw new Error(`account ${account} was not updated`);
  },
  async select(db, { account }) {
    const { rows } = await db.query('SELECT id, writer, balance FROM account WHERE id = $1', [account]);
    if (rows[0]?.id !== account) throw new Error(`account ${account} was not found`);
  },
};

/** The same through an EntityManager: the same calls for every variant that speaks TypeORM. */
export const typeormWork: Work<EntityManager> = {
  async 'insert-update'(manager, { account, writer }) {
    await manager.insert(EventEntity, { writer, amount: 1 });
    const { affected } = await manager.increment(AccountEntity, { id: account }, 'balance', 1);
    if (affected !== 1) throw new Error(`account ${account} was not updated`);
  },
  async select(manager, { account }) {
    const found = await manager.findOneBy(AccountEntity, { id: account });
    if (found?.id !== account) throw new Error(`account ${account} was not found`);
  },
};

/** What a PrismaClient and the client of one of its interactive transactions have in common. */
export type PrismaModels = Pick<PrismaClient, 'account' | 'event'>;

/** The same through Prisma's models: the same calls for every variant that speaks Prisma. */
export const prismaWork: Work<PrismaModels> = {
  async 'insert-update'({ account, event }, target) {
    await event.create({ data: { writer: target.writer, amount: 1 }, select: { id: true } });
    const where = { id: target.account };
    await account.update({ where, data: { balance: { increment: 1 } }, select: { id: true } });
  },
  async select({ account }, target) {
    const found = await account.findUnique({ where: { id: target.account } });
    if (found?.id !== target.account) throw new Error(`account ${target.account} was not found`);
  },
};
