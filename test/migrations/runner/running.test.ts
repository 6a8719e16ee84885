import { useChildProgram } from './child-program.js';
import { useProjects } from '../../cli/project.js';
import { useMariadb, usePostgres, useWorkspace } from './workspace.js';

const grid = [
  ['pg', 'session', usePostgres],
  ['pg', 'lease', usePostgres],
  ['mariadb', 'session', () => useMariadb('mariadb')],
  ['mariadb', 'lease', () => useMariadb('mariadb')],
] as const;

describe.each(grid)('while another deployer is in a journaled file, by %s under a %s', (_, kind, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  const program = useChildProgram();
  const project = useProjects();
  const lock = { kind, waitMs: 0 };

  test('it is RUNNING and no problem, and status says by whom', async () => {
    files.write({
      'V1__zero.sql': 'CREATE TABLE zero (n INT)',
      'V2__ä_longer_name_than_a_label_has_room_for_in_63_bytes.sql':
        '-- no-transaction\nCREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);\nCREATE TABLE b (n INT);\n',
      'V3__c.sql': 'CREATE TABLE c (n INT)',
    });
    const proxy = await engine.db.proxy();
    const armed = proxy.arm(/(?:^|\n)INSERT INTO a /, { action: 'hold' }, { times: 1 });
    const child = program.up({
      url: proxy.url(engine.url),
      driver: engine.driver,
      directories: ['.'],
      cwd: files.folder,
      lock: { kind },
    });
    await armed.fired;

    const migrator = files.migrator({ lock });
    const status = await migrator.status();
    expect(status.entries.map(({ state }) => state)).toEqual(['SUCCESS', 'RUNNING', 'PENDING']);
    expect(status).toMatchObject({
      problems: [],
      pending: [expect.stringMatching(/^V2__/), 'V3__c.sql'],
      runBy: { pid: child.pid, migration: expect.stringMatching(/^V2__/) },
    });
    expect((await migrator.validate()).problems).toEqual([]);
    const args = ['status', '--directory', files.folder, '--driver', engine.driver, '--lock', kind];
    expect(await project().run(args, { env: { DATABASE_URL: engine.url } })).toMatchObject({
      exitCode: 2,
      stdout: expect.stringMatching(
        new RegExp(
          `^V2__.* is being run now; the lock is held by .*process ${child.pid}, .*applying V2__`,
          'm',
        ),
      ),
    });
    // Its file is gone here, as in a release that is older: that is no problem of this one either.
    files.write({ 'V2__ä_longer_name_than_a_label_has_room_for_in_63_bytes.sql': null });
    const older = await migrator.status();
    expect(older.entries.map(({ state }) => state)).toEqual(['SUCCESS', 'PENDING', 'RUNNING']);
    expect(older.problems).toEqual([]);

    child.kill();
    await child.ended;
    armed.disarm();
    await migrator.unlock();
    const after = await migrator.status();
    expect(after.entries.map(({ state }) => state)).toEqual(['SUCCESS', 'PENDING', 'MISSING_FAILED']);
    expect(after.runBy).toBeUndefined();
  });
});
