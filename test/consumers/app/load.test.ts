import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInTransaction } from 'holdfast';
import { Application } from './application.js';

const app = new Application();
const CALLERS = 32;
const TRANSACTIONS = 50_000;

// What V8's optimising compiler makes of a hot path is code of its own: on Node 20 it once ended the process with a
// segmentation fault, in one of some thousand transactions.
void test('a process survives what its compiler makes of many transactions', async () => {
  process.env['NODE_ENV'] = 'production';
  const { manager } = app.service;
  let begun = 0;

  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      while (begun++ < TRANSACTIONS) await runInTransaction(() => manager.query('SELECT 1'));
    }),
  );

  assert.equal(begun, TRANSACTIONS + CALLERS);
});
