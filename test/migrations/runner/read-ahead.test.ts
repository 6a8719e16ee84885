import { failureOf, usePostgres, useWorkspace } from './workspace.js';

const engine = usePostgres();
const files = useWorkspace(engine);

/** `kind script`, in the order of their telling. */
function told(): string[] {
  return files.events.flatMap((event) => ('script' in event ? [`${event.kind} ${event.script}`] : []));
}

test('what is to be told of a file that was read ahead is told once it is its turn', async () => {
  files.write({
    'V1__a.sql': 'CREATE TABLE a (n INT);',
    'V2__b.sql': "INSERT INTO a VALUES (1); SELECT '${ghost}';",
    'V3__c.sql': 'INSERT INTO a VALUES (2);',
  });
  await files.migrator({ placeholders: {} }).up();
  expect(told()).toEqual([
    'started V1__a.sql',
    'applied V1__a.sql',
    'started V2__b.sql',
    'note V2__b.sql',
    'applied V2__b.sql',
    'started V3__c.sql',
    'applied V3__c.sql',
  ]);
  expect(await engine.query('SELECT n FROM a ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }]);
});

test('a file that cannot be sent fails at its turn, after what is before it was applied', async () => {
  files.write({
    'V1__a.sql': 'CREATE TABLE a (n INT);',
    'V2__b.sql': "INSERT INTO a VALUES ('open);",
    'V3__c.sql': 'DROP TABLE a;',
  });
  const error = await failureOf(files.migrator().up());
  expect(error.message).toContain('V2__b.sql');
  expect(told()).toEqual(['started V1__a.sql', 'applied V1__a.sql', 'started V2__b.sql', 'failed V2__b.sql']);
  const { pending } = await files.migrator().status();
  expect(pending).toEqual(['V2__b.sql', 'V3__c.sql']);
});

test('a file that goes away after it was found is told by its name', async () => {
  files.write({
    'V1__a.sql': 'CREATE TABLE a (n INT);',
    // A small one is kept from when it was found.
    'V2__b.sql': `CREATE TABLE b (n INT);\n-- ${'x'.repeat(300 * 1024)}`,
  });
  const migrator = files.migrator({
    onEvent: (event) => {
      if (event.kind === 'started' && event.script === 'V1__a.sql') files.write({ 'V2__b.sql': null });
    },
  });
  expect((await failureOf(migrator.up())).message).toMatch(/V2__b\.sql[^]*ENOENT/);
  expect(await engine.tables()).toEqual(['a']);
});

test('what is run of a small file is what was found, whatever becomes of the file meanwhile', async () => {
  files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT);', 'V2__b.sql': 'CREATE TABLE b (n INT);' });
  const migrator = files.migrator({
    onEvent: (event) => {
      if (event.kind === 'started' && event.script === 'V1__a.sql')
        files.write({ 'V2__b.sql': 'CREATE TABLE other (n INT);' });
    },
  });
  await migrator.up();
  expect(await engine.tables()).toEqual(['a', 'b']);
  files.write({ 'V2__b.sql': 'CREATE TABLE b (n INT);' });
  expect((await files.migrator().validate()).problems).toEqual([]);
});
