import 'reflect-metadata';
import {
  Column,
  DataSource,
  Entity,
  type EntitySubscriberInterface,
  PrimaryGeneratedColumn,
  type Repository,
} from 'typeorm';
import { afterCommit, beforeCommit, currentTransaction, runInTransaction } from 'holdfast';
import { manageDataSource } from 'holdfast/typeorm';
import { useDatabase } from '../harness/database.js';
import { useLog } from '../transaction/log.js';

@Entity('entry')
class Entry {
  @PrimaryGeneratedColumn() id!: number;
  @Column('text') label!: string;
}

const db = useDatabase();
const log = useLog();
let dataSource: DataSource;
let entries: Repository<Entry>;
let heard: string[];
let react: Partial<Record<'beforeTransactionCommit' | 'afterTransactionCommit', () => unknown>>;
const subscriber: EntitySubscriberInterface = {
  async beforeTransactionCommit() {
    heard.push('before commit');
    await react.beforeTransactionCommit?.();
  },
  async afterTransactionCommit() {
    heard.push('after commit');
    await react.afterTransactionCommit?.();
  },
};

beforeEach(async () => {
  [heard, react] = [[], {}];
  dataSource = await new DataSource({
    type: 'postgres',
    url: db.url,
    entities: [Entry],
    poolSize: 2,
  }).initialize();
  dataSource.subscribers.push(subscriber);
  manageDataSource(dataSource);
  entries = dataSource.getRepository(Entry);
});
afterEach(async () => {
  await dataSource.destroy();
  await db.truncate();
});
const committed = async (): Promise<string[]> =>
  (await db.query<{ label: string }>('SELECT label FROM entry ORDER BY id')).map(({ label }) => label);

test('a before-commit hook that a subscriber registers before the commit runs inside the transaction', async () => {
  react.beforeTransactionCommit = () =>
    beforeCommit(async () => {
      await entries.insert({ label: 'hook' });
      heard.push(`hook in ${currentTransaction()?.name}`);
    });
  await runInTransaction(() => entries.insert({ label: 'method' }), { name: 'Orders.place' });
  expect(heard).toEqual(['before commit', 'hook in Orders.place', 'after commit']);
  expect(await committed()).toEqual(['method', 'hook']);
});

test('hooks and subscribers in turn: a hook of a hook of a subscriber runs, the subscriber is told once', async () => {
  react.beforeTransactionCommit = () =>
    beforeCommit(() => {
      heard.push('first');
      beforeCommit(() => void heard.push('second'));
    });
  await runInTransaction(async () => {
    beforeCommit(() => void heard.push('method'));
    await entries.insert({ label: 'a' });
  });
  expect(heard).toEqual(['method', 'before commit', 'first', 'second', 'after commit']);
});

test('a hook that uses TypeORM first in this transaction makes its subscribers hear of the commit', async () => {
  await runInTransaction(async () => {
    beforeCommit(() => entries.insert({ label: 'hook' }));
  });
  expect(heard).toEqual(['before commit', 'after commit']);
});

test('one that fails rolls back, and its error is the call’s', async () => {
  react.beforeTransactionCommit = () => beforeCommit(() => Promise.reject(new Error('the outbox is full')));
  await expect(runInTransaction(() => entries.insert({ label: 'a' }))).rejects.toThrow('the outbox is full');
  expect(await committed()).toEqual([]);
});

test('after a statement that a subscriber let fail, no hook runs: nothing will be committed', async () => {
  const hook = jest.fn();
  react.beforeTransactionCommit = async () => {
    beforeCommit(hook);
    await dataSource.query('SELECT 1/0').catch(() => undefined);
  };
  await expect(runInTransaction(() => entries.insert({ label: 'a' }))).rejects.toMatchObject({
    code: 'UNEXPECTED_ROLLBACK',
    cause: { code: '22012' },
  });
  expect(hook).not.toHaveBeenCalled();
});

test('an after-commit hook that a subscriber registers after the commit is awaited', async () => {
  react.afterTransactionCommit = () => {
    react = {};
    afterCommit(async () => {
      await entries.insert({ label: 'hook' });
      heard.push('hook');
    });
  };
  await runInTransaction(() => entries.insert({ label: 'method' }));
  expect(heard).toContain('hook');
  expect(await committed()).toEqual(['method', 'hook']);
  expect(log.errors).toEqual([]);
});
