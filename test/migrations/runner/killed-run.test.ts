import { setTimeout as sleep } from 'node:timers/promises';
import { ValidationFailedError } from '../../../src/migrations/index.js';
import { useChildProgram } from './child-program.js';
import { failureOf, usePostgres, useWorkspace } from './workspace.js';

describe('a run that was killed half-way in a file that no transaction holds', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);
  const program = useChildProgram();
  const begun =
    '-- no-transaction\nCREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\nCREATE TABLE b (n INT);\n';

  /** Killed while the INSERT is on its way. */
  const kill = async (): Promise<void> => {
    files.write({ 'V1__zero.sql': 'CREATE TABLE zero (n INT)', 'V2__a.sql': begun });
    const proxy = await engine.db.proxy();
    const armed = proxy.arm(/(?:^|\n)INSERT INTO a /, { action: 'hold' }, { times: 1 });
    const child = program.up({
      url: proxy.url(engine.url),
      driver: engine.driver,
      directories: ['.'],
      cwd: files.folder,
    });
    const { pid } = await armed.fired;
    child.kill();
    await child.ended;
    armed.disarm();
    // Until the server has found out, the run is still at it.
    const session = `SELECT 1 FROM pg_stat_activity WHERE pid = ${pid}`;
    while ((await engine.query(session)).length > 0) await sleep(5);
  };

  test('is told by status, validate, doctor and a dry run, and goes on', async () => {
    await kill();
    const rows = await engine.query('SELECT script FROM holdfast_schema_history');
    expect(rows).toEqual([{ script: 'V1__zero.sql' }]);

    const { entries, pending, problems } = await files.migrator().status();
    expect(entries).toMatchObject([
      { script: 'V1__zero.sql', state: 'SUCCESS' },
      { script: 'V2__a.sql', state: 'FAILED', installedOn: undefined },
    ]);
    expect(pending).toEqual(['V2__a.sql']);
    expect(problems).toMatchObject([
      {
        script: 'V2__a.sql',
        state: 'FAILED',
        message: expect.stringMatching(
          /^V2__a\.sql failed half-way on .* Statement 1 took effect\. The next `up` goes on where it stopped/,
        ),
      },
    ]);
    expect(await files.migrator().validate()).toEqual({ problems, pending });
    const { checks } = await files.migrator().doctor();
    expect(checks.find(({ name }) => name === 'migrations')).toEqual({
      name: 'migrations',
      result: 'failed',
      message: problems[0]!.message,
    });

    const { applied } = await files.migrator().up();
    expect(applied).toMatchObject([{ script: 'V2__a.sql', statements: 3 }]);
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 1 }]);
    const after = await files.migrator().status();
    expect(after.entries.map(({ state }) => state)).toEqual(['SUCCESS', 'SUCCESS']);
    expect(after.problems).toEqual([]);
  });

  test('is not left half-run by an undo of what lies below it', async () => {
    await kill();
    files.write({ 'U1__zero.sql': 'DROP TABLE zero' });
    const error = await failureOf(files.migrator().undo());
    expect(error).toBeInstanceOf(ValidationFailedError);
    expect(error.message).toMatch(
      /^V2__a\.sql failed half-way: its run did not end\. Bring it to an end first/,
    );
    expect(await engine.tables()).toEqual(['a', 'zero']);
    await files.migrator().up();
    files.write({ 'U2__a.sql': 'DROP TABLE a; DROP TABLE b' });
    expect((await files.migrator().undo()).undone).toMatchObject([{ script: 'U2__a.sql' }]);
  });

  test('is refused while its file is gone, until `repair` forgets it', async () => {
    await kill();
    files.write({ 'V2__a.sql': null, 'V3__c.sql': 'CREATE TABLE c (n INT)' });
    const { entries, problems } = await files.migrator().status();
    expect(entries).toMatchObject([
      { script: 'V1__zero.sql', state: 'SUCCESS' },
      { script: 'V3__c.sql', state: 'PENDING' },
      { script: 'V2__a.sql', state: 'MISSING_FAILED', version: '2', description: 'a', kind: 'versioned' },
    ]);
    expect((await files.migrator().validate()).problems).toEqual(problems);
    const error = await failureOf(files.migrator().up());
    expect(error).toBeInstanceOf(ValidationFailedError);
    expect(error.message).toMatch(/^V2__a\.sql failed half-way.*bring it back.*`up` goes on.*`repair`/);
    expect(await failureOf(files.migrator().dryRun())).toMatchObject({ message: error.message });
    expect(await engine.tables()).toEqual(['a', 'zero']);

    expect((await files.migrator().repair()).changes).toEqual([
      'Forgot that V2__a.sql had come to statement 1: the next `up` runs it from its beginning.',
    ]);
    expect((await files.migrator().status()).problems).toEqual([]);
    expect((await files.migrator().up()).applied).toMatchObject([{ script: 'V3__c.sql' }]);
  });
});
