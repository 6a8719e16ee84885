import { CALLBACK_MOMENTS } from '../../../src/migrations/events.js';
import { failureOf, notesOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const engines = [
  ['pg', usePostgres],
  ['mariadb', () => useMariadb('mariadb')],
] as const;

describe.each(engines)('callbacks by %s', (_, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  const told = async (): Promise<unknown[]> => {
    const rows = await engine.query('SELECT moment FROM told ORDER BY id');
    await engine.query('DELETE FROM told');
    return rows.map(({ moment }) => moment);
  };

  test('run at each of their moments, and at no other', async () => {
    const id = engine.driver === 'pg' ? 'SERIAL' : 'INT AUTO_INCREMENT';
    await engine.query(`CREATE TABLE told (id ${id} PRIMARY KEY, moment VARCHAR(50))`);
    files.write(
      Object.fromEntries(
        CALLBACK_MOMENTS.map((moment) => [
          `${moment}.sql`,
          `INSERT INTO told (moment) VALUES ('${moment}');`,
        ]),
      ),
    );
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', 'U1__a.sql': 'DROP TABLE a' });
    const migrator = files.migrator();
    const seen = new Set<unknown>();
    const expectTold = async (...moments: readonly string[]): Promise<void> => {
      const now = await told();
      for (const moment of now) seen.add(moment);
      expect(now).toEqual(moments);
    };

    await migrator.baseline({ version: '0' });
    await expectTold('beforeBaseline', 'afterBaseline');
    await migrator.status();
    await expectTold();
    await migrator.validate();
    await expectTold('beforeValidate', 'afterValidate');
    await migrator.up();
    await expectTold(
      'beforeMigrate',
      'beforeEachMigrate',
      'afterEachMigrate',
      'afterMigrateApplied',
      'afterMigrate',
    );
    await migrator.undo();
    await expectTold('beforeUndo', 'beforeEachUndo', 'afterEachUndo', 'afterUndo');
    await migrator.repair();
    await expectTold('beforeRepair', 'afterRepair');
    files.write({ 'V1__a.sql': 'SELECT n FROM nowhere' });
    await failureOf(migrator.up());
    await expectTold('beforeMigrate', 'beforeEachMigrate', 'afterEachMigrateError', 'afterMigrateError');
    files.write({ 'V1__a.sql': 'SELECT 1', 'U1__a.sql': 'SELECT n FROM nowhere' });
    await migrator.up();
    await told();
    await failureOf(migrator.undo());
    await expectTold('beforeUndo', 'beforeEachUndo', 'afterUndoError');
    expect(seen).toEqual(new Set(CALLBACK_MOMENTS));
  });

  test.each([
    ['afterMigrate', ['beforeMigrate', 'afterMigrate']],
    ['afterMigrateApplied', ['beforeMigrate', 'afterMigrateApplied', 'afterMigrate']],
    ['afterEachMigrate', ['beforeMigrate', 'afterEachMigrate', 'afterMigrateApplied', 'afterMigrate']],
  ] as const)(
    '%s that failed runs again, once, though nothing is pending any more',
    async (failed, moments) => {
      const id = engine.driver === 'pg' ? 'SERIAL' : 'INT AUTO_INCREMENT';
      await engine.query(`CREATE TABLE told (id ${id} PRIMARY KEY, moment VARCHAR(50))`);
      const all = ['beforeMigrate', 'afterEachMigrate', 'afterMigrateApplied', 'afterMigrate'];
      const tell = (moment: string): string => `INSERT INTO told (moment) VALUES ('${moment}');`;
      files.write(Object.fromEntries(all.map((moment) => [`${moment}.sql`, tell(moment)])));
      files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', [`${failed}.sql`]: 'SELECT n FROM nowhere' });
      const migrator = files.migrator();
      await migrator.baseline({ version: '0' });
      expect((await failureOf(migrator.up())).message).toContain(`${failed}.sql`);
      expect((await migrator.validate()).problems).toEqual([]);
      expect(await migrator.status()).toMatchObject({ owed: [failed], pending: [], problems: [] });
      await failureOf(migrator.up());
      files.write({ [`${failed}.sql`]: tell(failed) });
      await told();
      expect((await migrator.up()).applied).toEqual([]);
      expect(await told()).toEqual(moments);
      expect(await migrator.status()).toMatchObject({ owed: [] });
      const notes = notesOf(files.events).filter((note) => /failed in an earlier run/.test(note));
      // In each of the two runs once.
      const note = `${failed} failed in an earlier run: \`up\` runs it again.`;
      expect(notes).toEqual([note, note]);
      await migrator.up();
      expect(await told()).toEqual([]);
    },
  );
});
