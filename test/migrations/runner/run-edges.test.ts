import { DatabaseUnreachableError, MigrationInterruptedError } from '../../../src/migrations/index.js';
import type { TestDatabase } from '../../harness/database.js';
import { failureOf, notesOf, usePostgres, useWorkspace } from './workspace.js';

describe('a run', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);

  test('that is stopped between two migrations calls neither of them failed', async () => {
    // What sets something first is not sent ahead.
    const second = '-- statement-timeout: 30s\nSELECT 2';
    files.write({ 'V1__a.sql': 'SELECT 1', 'V2__b.sql': second, 'V3__c.sql': 'SELECT 3' });
    const stop = new AbortController();
    const kinds: string[] = [];
    const migrator = files.migrator({
      onEvent: (event) => {
        kinds.push(event.kind === 'started' ? `started ${event.script}` : event.kind);
        if (event.kind === 'applied') stop.abort();
      },
    });
    const error = await failureOf(migrator.up({ signal: stop.signal }));
    expect(error).toBeInstanceOf(MigrationInterruptedError);
    expect(error).toMatchObject({ retryable: true, effect: 'rolled back' });
    expect(error.message.split('\n')).toEqual([
      'Interrupted before V2__b.sql: the run was asked to stop.',
      'This run had applied before: V1__a.sql. Not applied: V2__b.sql, V3__c.sql.',
      'Next: Run `up` again to go on.',
    ]);
    expect(kinds).toContain('started V1__a.sql');
    expect(kinds).not.toContain('started V2__b.sql');
    expect(kinds).not.toContain('failed');
  });

  test('that reaches no database says so, whatever the directories are', async () => {
    const nowhere = { url: 'postgres://nobody@127.0.0.1:1/nothing', directories: ['no such folder'] };
    expect(await failureOf(files.migrator(nowhere).up())).toBeInstanceOf(DatabaseUnreachableError);
    const { message } = await failureOf(files.migrator({ directories: ['no such folder'] }).up());
    expect(message).toMatch(/^There is no directory .*no such folder/);
    expect(files.events.map(({ kind }) => kind)).toContain('connected');
  });

  test.each(['', '-- to be written\n'])(
    'notes that a file without a statement (%j) was applied',
    async (sql) => {
      files.write({ 'V1__a.sql': sql, 'V2__b.sql': 'SELECT 1' });
      await files.migrator().up();
      expect(notesOf(files.events).filter((note) => note.startsWith('It holds no statement'))).toHaveLength(
        1,
      );
    },
  );

  test('after `repair` a deleted migration is one line of status', async () => {
    files.write({ 'V1__a.sql': 'SELECT 1', 'V2__b.sql': 'SELECT 2', 'V3__c.sql': 'SELECT 3' });
    await files.migrator().up();
    files.write({ 'V2__b.sql': null });
    await files.migrator().repair();
    const { entries } = await files.migrator().status();
    expect(entries.map(({ script, state }) => `${script} ${state}`)).toEqual([
      'V1__a.sql SUCCESS',
      'V2__b.sql DELETED',
      'V3__c.sql SUCCESS',
    ]);
  });

  test('that waited for a lock in vain says what to do, and that the file may stay', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n int)',
      'V2__b.sql': '-- lock-timeout: 50ms\nALTER TABLE a ADD m int',
    });
    await files.migrator().up({ to: '1' });
    const other = await (engine.db as TestDatabase).client();
    await other.query('BEGIN; SELECT * FROM a');

    const error = await failureOf(files.migrator().up());
    expect(error.message).toMatch(/^V2__b\.sql:2:1: .*\[55P03\]/);
    expect(error.message).toMatch(/\nNext: See to that, then run `up` again: the file may stay as it is\.$/);

    await other.query('ROLLBACK');
    await files.migrator().up();
  });

  test('whose next file was deleted meanwhile wants it back, and does not call it wrong', async () => {
    // What is small was kept when it was found.
    const large = `SELECT 3;\n-- ${'x'.repeat(300 * 1024)}`;
    files.write({ 'V1__a.sql': 'SELECT 1', 'V2__b.sql': 'SELECT 2', 'V3__c.sql': large });
    const migrator = files.migrator({
      onEvent: (event) => {
        if (event.kind === 'started' && event.script === 'V1__a.sql') files.write({ 'V3__c.sql': null });
      },
    });
    const error = await failureOf(migrator.up());
    expect(error.message).toMatch(/^V3__c\.sql: ENOENT[^]*Nothing of it was sent\./);
    expect(error.message).toMatch(/\nNext: See to it that the file can be read, then run `up` again\.$/);
  });
});
