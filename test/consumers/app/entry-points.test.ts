import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EntityManager, type QueryBuilder, Repository } from 'typeorm';
import { Application, Entry, type EntryService, Topic } from './application.js';

class EntryRepository extends Repository<Entry> {
  async add(label: string): Promise<void> {
    await this.save({ label });
  }
}

/** Made before any transaction, as a service that keeps them in a field would. */
let kept: {
  manager: EntityManager;
  own: EntryRepository;
  extended: Repository<Entry> & { add(label: string): Promise<unknown> };
  insert: QueryBuilder<Entry> & { execute(): Promise<unknown> };
};

const app = new Application(({ dataSource, entries }) => {
  kept = {
    manager: dataSource.createEntityManager(),
    own: new EntryRepository(Entry, dataSource.manager),
    extended: entries.extend({
      add(label: string) {
        return entries.save({ label });
      },
    }),
    insert: dataSource.createQueryBuilder().insert().into(Entry).values({ label: 'x' }),
  };
});

const entryPoints: Record<string, (service: EntryService) => Promise<unknown>> = {
  'injected repository': ({ entries }) => entries.save({ label: 'x' }),
  'repository.extend()': () => kept.extended.add('x'),
  'class extends Repository': () => kept.own.add('x'),
  'injected EntityManager, save': ({ manager }) => manager.save(Entry, { label: 'x' }),
  'injected EntityManager, insert': ({ manager }) => manager.insert(Entry, { label: 'x' }),
  'injected EntityManager, query': ({ manager }) => manager.query("INSERT INTO entry (label) VALUES ('x')"),
  'createEntityManager() before the transaction': () => kept.manager.save(Entry, { label: 'x' }),
  'dataSource.query': ({ dataSource }) => dataSource.query("INSERT INTO entry (label) VALUES ('x')"),
  'a QueryBuilder built before the transaction': () => kept.insert.execute(),
  'dataSource.transaction()': ({ dataSource }) =>
    dataSource.transaction((manager) => manager.save(Entry, { label: 'x' })),
  'createQueryRunner()': async ({ dataSource }) => {
    const runner = dataSource.createQueryRunner();
    await runner.manager.save(Entry, { label: 'x' });
    await runner.release();
  },
  'pool.query': ({ pool }) => pool.query("INSERT INTO entry (label) VALUES ('x')"),
  'pool.connect()': async ({ pool }) => {
    const client = await pool.connect();
    await client.query("INSERT INTO entry (label) VALUES ('x')");
    client.release();
  },
};

for (const [name, write] of Object.entries(entryPoints)) {
  void test(`${name} is in the transaction`, async () => {
    const failing = app.service.inTransaction(async (service) => {
      await write(service);
      assert.equal(await service.entries.count(), 1);
      throw new Error('too late');
    });

    await assert.rejects(failing, /too late/);
    assert.deepEqual(await app.committed(), []);
    await app.service.inTransaction(write);
    assert.deepEqual(await app.committed(), ['x']);
  });
}

void test('ActiveRecord is in the transaction', async () => {
  const failing = app.service.inTransaction(async () => {
    await Topic.create({ name: 'lost' }).save();
    assert.equal(await Topic.count(), 1);
    throw new Error('too late');
  });

  await assert.rejects(failing, /too late/);
  assert.equal(await Topic.count(), 0);
});

void test('a lazy relation of an entity loaded before the transaction reads in it', async () => {
  await Topic.create({ name: 'kept' }).save();
  const topic = await Topic.findOneByOrFail({ name: 'kept' });

  const labels = await app.service.inTransaction(async ({ dataSource }) => {
    await dataSource.query(`INSERT INTO entry (label, "topicId") VALUES ('not committed yet', $1)`, [
      topic.id,
    ]);
    return (await topic.entries).map(({ label }) => label);
  });

  assert.deepEqual(labels, ['not committed yet']);
});
