import { jest } from '@jest/globals';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, Repository } from 'typeorm';
import {
  addTransactionalDataSource,
  deleteDataSourceByName,
  initializeTransactionalContext,
  Propagation,
  runInTransaction,
  runOnTransactionCommit,
  runOnTransactionComplete,
  runOnTransactionRollback,
} from 'holdfast/typeorm-transactional';
import { HoldfastModule } from 'holdfast/nestjs';
import { useDatabase } from '../harness/database.js';
import { Entry, labels, startApplication, typeorm } from './application.js';

const db = useDatabase();

@Injectable()
class Entries {
  constructor(@InjectRepository(Entry) readonly repository: Repository<Entry>) {}

  async create(label: string, fail = false): Promise<Entry> {
    const entry = await this.repository.save({ label });
    if (fail) throw new Error('failed on purpose');
    return entry;
  }

  find(label: string): Promise<Entry | null> {
    return this.repository.findOneBy({ label });
  }
}

const start = (imports: readonly ReturnType<typeof HoldfastModule.forRoot>[] = []) =>
  startApplication(db, {
    imports: [
      TypeOrmModule.forRootAsync({
        useFactory: () => typeorm(db),
        async dataSourceFactory(options) {
          return addTransactionalDataSource(new DataSource(options!));
        },
      }),
      TypeOrmModule.forFeature([Entry]),
      ...imports,
    ],
    providers: [Entries],
  });

describe.each([
  ['alone', () => start()],
  ['beside HoldfastModule', () => start([HoldfastModule.forRoot()])],
])('an application whose dataSourceFactory adds the data source, %s', (_, startOne) => {
  let app: INestApplicationContext;
  let entries: Entries;

  beforeEach(async () => {
    await db.truncate();
    initializeTransactionalContext();
    app = await startOne();
    entries = app.get(Entries);
  });

  test('reads in a transaction what it wrote', async () => {
    const [written, read] = await runInTransaction(async () => [
      await entries.create('a'),
      await entries.find('a'),
    ]);

    expect(written!.id).toBeGreaterThan(0);
    expect(read!.id).toBe(written!.id);
  });

  test('rolls back when the work rejects', async () => {
    const call = runInTransaction(() => entries.create('a', true));

    await expect(call).rejects.toThrow('failed on purpose');
    expect(await labels(db)).toEqual([]);
  });

  test('leaves the transaction for a REQUIRES_NEW call, and comes back', async () => {
    const [inside, after] = await runInTransaction(async () => {
      await entries.create('a');
      const found = await runInTransaction(() => entries.find('a'), {
        propagation: Propagation.REQUIRES_NEW,
      });
      return [found, await entries.find('a')];
    });

    expect(inside).toBeNull();
    expect(after).toMatchObject({ label: 'a' });
  });

  test('calls the hooks of the outcome', async () => {
    const [commit, rollback, complete] = [jest.fn(), jest.fn(), jest.fn()];
    await runInTransaction(async () => {
      await entries.create('a');
      runOnTransactionCommit(commit);
      runOnTransactionRollback(rollback);
      runOnTransactionComplete(complete);
    });

    expect(commit).toHaveBeenCalledTimes(1);
    expect(rollback).not.toHaveBeenCalled();
    expect(complete).toHaveBeenCalledTimes(1);
  });

  test('gives the name free when it closes: the next one in the process takes it', async () => {
    await app.close();
    const next = await startOne();

    await runInTransaction(() => next.get(Entries).create('a'));
    expect(await labels(db)).toEqual(['a']);
  });
});

afterEach(() => void deleteDataSourceByName('default'));

test('a start that failed to connect can be tried again under the same name', async () => {
  const unreachable = addTransactionalDataSource(
    new DataSource({ type: 'postgres', url: 'postgres://nobody@127.0.0.1:1/none' }),
  );
  await expect(unreachable.initialize()).rejects.toThrow('ECONNREFUSED');

  const app = await start();
  await runInTransaction(() => app.get(Entries).create('a'));
  expect(await labels(db)).toContain('a');
});
