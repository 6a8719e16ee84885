import assert from 'node:assert/strict';
import { test } from 'node:test';
import { currentTransaction, HoldfastError, runInTransaction, UnexpectedRollbackError } from 'holdfast';
import { Application, events } from './application.js';

const app = new Application();

void test('a transaction over TypeORM and the raw pool is one, and commits as one', async () => {
  const pids = await app.service.inTransaction(async ({ entries, pool, dataSource }) => {
    await entries.save({ label: 'by TypeORM' });
    await pool.query("INSERT INTO entry (label) VALUES ('by the pool')");
    assert.deepEqual(await app.committed(), []);
    const ofTypeorm: { pid: number }[] = await dataSource.query('SELECT pg_backend_pid() AS pid');
    const ofPool = await pool.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return [ofTypeorm[0]?.pid, ofPool.rows[0]?.pid];
  });

  assert.equal(pids[0], pids[1]);
  assert.deepEqual(await app.committed(), ['by TypeORM', 'by the pool']);
});

void test('an error rolls back all of it', async () => {
  const failing = app.service.inTransaction(async ({ entries, pool }) => {
    await entries.save({ label: 'by TypeORM' });
    await pool.query("INSERT INTO entry (label) VALUES ('by the pool')");
    throw new Error('too late');
  });

  await assert.rejects(failing, /too late/);
  assert.deepEqual(await app.committed(), []);
});

void test('a NESTED method that fails undoes itself and nothing else', async () => {
  await app.service.inTransaction(async (service) => {
    await service.entries.save({ label: 'outer' });
    await assert.rejects(service.nested('inner 1', 'fail'), /inner 1 failed/);
    await service.nested('inner 2', 'return');
  });

  assert.deepEqual(await app.committed(), ['outer', 'inner 2']);
});

void test('a hand-written QueryRunner inside is a savepoint', async () => {
  await app.service.inTransaction(async ({ entries, dataSource }) => {
    await entries.save({ label: 'outer' });
    for (const end of ['rollbackTransaction', 'commitTransaction'] as const) {
      const runner = dataSource.createQueryRunner();
      await runner.connect();
      await runner.startTransaction();
      await runner.query('INSERT INTO entry (label) VALUES ($1)', [end]);
      await runner[end]();
      await runner.release();
    }
    assert.deepEqual(await app.committed(), []);
  });

  assert.deepEqual(await app.committed(), ['outer', 'commitTransaction']);
});

void test("subscribers hear of the transaction's boundary once", async () => {
  await app.service.inTransaction(async (service) => {
    await service.entries.save({ label: 'outer' });
    await service.nested('inner', 'return');
    await service.dataSource.transaction((manager) => manager.query('SELECT 1'));
  });
  assert.deepEqual(events.splice(0), ['before start', 'after start', 'before commit', 'after commit']);

  await assert.rejects(
    app.service.inTransaction(async (service) => {
      await service.entries.save({ label: 'outer' });
      throw new Error('too late');
    }),
  );
  assert.deepEqual(events, ['before start', 'after start', 'before rollback', 'after rollback']);
});

void test('a swallowed failure is an UnexpectedRollbackError with a stable code', async () => {
  const swallowing = app.service.inTransaction(async ({ dataSource }) => {
    await dataSource.query('SELECT * FROM nowhere').catch(() => undefined);
  });

  await assert.rejects(swallowing, (error) => {
    assert.ok(error instanceof UnexpectedRollbackError);
    assert.ok(error instanceof HoldfastError);
    assert.equal(error.code, 'UNEXPECTED_ROLLBACK');
    return true;
  });
});

void test('outside a transaction nothing is in one, and TypeORM behaves as before', async () => {
  await app.service.entries.save({ label: 'by itself' });

  assert.equal(currentTransaction(), undefined);
  assert.deepEqual(await app.committed(), ['by itself']);
  assert.equal(await runInTransaction(async () => currentTransaction()?.dataSource), 'default');
});
