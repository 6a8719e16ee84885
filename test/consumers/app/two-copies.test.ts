import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import type * as Holdfast from 'holdfast';
import { Application } from './application.js';

const requireDoor = createRequire(join(process.cwd(), 'package.json'));
const app = new Application();

type Door = typeof Holdfast;

async function bothCopies(): Promise<{ imported: Door; required: Door }> {
  const copies = { imported: await import('holdfast'), required: requireDoor('holdfast') as Door };
  assert.notEqual(copies.imported.runInTransaction, copies.required.runInTransaction);
  return copies;
}

for (const [outer, inner] of [
  ['imported', 'required'],
  ['required', 'imported'],
] as const) {
  void test(`a transaction of the ${outer} copy is the ${inner} copy's, with its hooks, errors and savepoints`, async () => {
    const copies = await bothCopies();
    const [around, inside] = [copies[outer], copies[inner]];
    const heard: string[] = [];

    await around.runInTransaction(async () => {
      await app.service.entries.save({ label: 'outer' });
      assert.equal(inside.currentTransaction()?.id, around.currentTransaction()?.id);
      await inside.runInTransaction(async () => app.service.entries.save({ label: 'joined' }));
      inside.afterCommit(() => heard.push('committed'));
      const nested = inside.runInTransaction(
        async () => {
          await app.service.entries.save({ label: 'nested' });
          throw new Error('nested failed');
        },
        { propagation: 'NESTED' },
      );
      await assert.rejects(nested, /nested failed/);
      assert.deepEqual(await app.committed(), []);
    });

    assert.deepEqual(await app.committed(), ['outer', 'joined']);
    assert.deepEqual(heard, ['committed']);
  });

  void test(`an error of the ${outer} copy is an instance of the ${inner} copy's class`, async () => {
    const copies = await bothCopies();
    const refused = copies[outer].runInTransaction(async () => {}, { propagation: 'MANDATORY' });

    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof copies[inner].PropagationError);
      assert.ok(!(error instanceof copies[inner].UnexpectedRollbackError));
      return true;
    });
  });
}

void test('expectNoOpenTransactions of one copy sees the transactions of the other', async () => {
  const { required } = await bothCopies();
  const { expectNoOpenTransactions } = await import('holdfast/testing');
  let end = (): void => {};
  const running = required.runInTransaction(() => new Promise<void>((resolve) => (end = resolve)), {
    name: 'forgotten',
  });

  assert.throws(expectNoOpenTransactions, /"forgotten"/);
  end();
  await running;
  expectNoOpenTransactions();
});
