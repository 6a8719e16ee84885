import { spawnSync } from 'node:child_process';
import { useDatabase } from '../harness/database.js';

const db = useDatabase();

/** A hook that throws ends the process of typeorm-transactional, after the commit; ours-alone.test.ts has ours. */
const script = `
  require('reflect-metadata');
  const { DataSource } = require('typeorm');
  const t = require('typeorm-transactional');
  (async () => {
    t.initializeTransactionalContext();
    const dataSource = t.addTransactionalDataSource(new DataSource({ type: 'postgres', url: process.argv[1] }));
    await dataSource.initialize();
    await t.runInTransaction(async () => {
      await dataSource.query("INSERT INTO entry (label) VALUES ('a')");
      t.runOnTransactionCommit(() => { throw new Error('no mail server'); });
    });
    console.log('committed');
    await new Promise((resolve) => setTimeout(resolve, 5000));
    console.log('alive');
  })();
`;

test('typeorm-transactional: a commit hook that throws ends the process', async () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['-e', script, db.url], {
    cwd: process.cwd(),
    encoding: 'utf8',
  });

  expect({ status, stdout }).toEqual({ status: 1, stdout: 'committed\n' });
  expect(stderr).toContain('Error: no mail server');
  expect(await db.query('SELECT label FROM entry')).toEqual([{ label: 'a' }]);
});
