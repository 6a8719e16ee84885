import { inspect } from 'node:util';
import type { MigrationFailedError } from '../../../src/migrations/index.js';
import { ENGINES, failureOf, usePostgres, useWorkspace } from './workspace.js';

const SECRET = 'hunter2secret';
const placeholders = { pw: SECRET };

/** All that a caller could print or log of an error: message, stack, causes and their members. */
const everythingOf = (error: unknown): string => inspect(error, { depth: 10, showHidden: true });

describe.each(ENGINES)('the value of a placeholder is not shown by %s', (_, use) => {
  const engine = use();
  const files = useWorkspace(engine);

  test.each([
    ['beside the error', "CREATE TABLE t (n INT DEFAULT '${pw}' bogus nonsense);"],
    ['where the server repeats it', 'CREATE TABLE t (n ${pw} bogus);'],
    ['in a file without a transaction', "-- no-transaction\nINSERT INTO nope VALUES ('${pw}');"],
    ['in a statement that is not allowed', "COMMIT AND CHAIN; SELECT '${pw}';"],
    ['in a clause', "-- verify before: SELECT '${pw}' AS found\nSELECT 1;"],
  ])('%s', async (_where, sql) => {
    files.write({ 'V1__a.sql': sql });
    const error = await failureOf<MigrationFailedError>(files.migrator({ placeholders }).up());
    expect(error.message).toContain('V1__a.sql');
    expect(everythingOf(error)).not.toContain(SECRET);
    expect(JSON.stringify(files.events)).not.toContain(SECRET);
    expect(files.events.map(({ kind }) => kind)).toContain('failed');
  });

  test('the text of the file stands in its place, however short it is', async () => {
    files.write({ 'V1__a.sql': "INSERT INTO nope\nVALUES ('${pw}', ${n});" });
    const error = await failureOf(files.migrator({ placeholders: { ...placeholders, n: '7' } }).up());
    expect(error.message).toContain("INSERT INTO nope VALUES ('${pw}', ${n})");
  });

  test('the journal has the text of the file', async () => {
    files.write({
      'V1__a.sql':
        "-- no-transaction\nCREATE TABLE t (n VARCHAR(20) DEFAULT '${pw}');\nINSERT INTO nope VALUES (1);",
    });
    await failureOf(files.migrator({ placeholders }).up());
    const rows = await engine.query('SELECT statement FROM holdfast_migration_journal');
    expect(rows.map(({ statement }) => statement)).toEqual([
      "CREATE TABLE t (n VARCHAR(20) DEFAULT '${pw}')",
    ]);
  });

  test('a dry run shows the text of the file', async () => {
    files.write({ 'V1__a.sql': "-- no-transaction\nSELECT '${pw}';" });
    const result = await files.migrator({ placeholders }).dryRun();
    expect(JSON.stringify(result)).not.toContain(SECRET);
  });

  test('a dry run that fails does not show it', async () => {
    files.write({ 'V1__a.sql': "INSERT INTO nope VALUES ('${pw}');" });
    const settled = await files
      .migrator({ placeholders })
      .dryRun()
      .catch((error: unknown) => error);
    expect(everythingOf(settled)).not.toContain(SECRET);
  });
});

describe('the value of a placeholder is not shown', () => {
  const files = useWorkspace(usePostgres());

  test('in a notice', async () => {
    files.write({ 'V1__a.sql': "DO $$ BEGIN RAISE WARNING 'it is %', '${pw}'; END $$;" });
    await files.migrator({ placeholders }).up();
    expect(files.events).toContainEqual(
      expect.objectContaining({ warning: expect.objectContaining({ message: 'it is ${pw}' }) as unknown }),
    );
  });
});
