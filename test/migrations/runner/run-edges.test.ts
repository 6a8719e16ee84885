import { MigrationInterruptedError } from '../../../src/migrations/index.js';
import { failureOf, notesOf, usePostgres, useWorkspace } from './workspace.js';

describe('a run', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);

  test('that is stopped between two migrations calls neither of them failed', async () => {
    files.write({ 'V1__a.sql': 'SELECT 1', 'V2__b.sql': 'SELECT 2', 'V3__c.sql': 'SELECT 3' });
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
});
