import { MigrationFailedError } from '../../../src/migrations/index.js';
import { failureOf, notesOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const engines = [
  ['pg', usePostgres],
  ['mysql2', () => useMariadb('mysql2')],
] as const;

describe.each(engines)('a migration in code by %s', (driver, use) => {
  const engine = use();
  const files = useWorkspace(engine);
  const one = driver === 'pg' ? '$1' : '?';

  test.each([
    [
      'named exports in TypeScript',
      'V2__b.ts',
      `export const up = async ({ sql }: { sql: (text: string, values?: unknown[]) => Promise<unknown> }): Promise<void> => { await sql('INSERT INTO a VALUES (${one})', [7]); };`,
    ],
    [
      'a default export',
      'V2__b.js',
      `module.exports = { up: ({ sql }) => sql('INSERT INTO a VALUES (${one})', [7]) };`,
    ],
    [
      'an ES module',
      'V2__b.mjs',
      `export default { async up({ sql }) { await sql('INSERT INTO a VALUES (${one})', [7]); } };`,
    ],
    [
      'a class',
      'V2__b.ts',
      `export default class AddRow { async up(context: any) { await context.sql('INSERT INTO a VALUES (${one})', [7]); } }`,
    ],
  ])('as %s runs, and has its row', async (__, name, text) => {
    files.write({ 'V1__a.sql': 'CREATE TABLE a (n INT)', [name]: text });
    await files.migrator().up();
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 7 }]);
    expect(await engine.query("SELECT type FROM holdfast_schema_history WHERE version = '2'")).toEqual([
      { type: 'JDBC' },
    ]);
  });

  test('is given placeholders, the server, the connection, a signal and a log', async () => {
    files.write({
      'V1__a.js': `exports.up = ({ placeholders, server, native, signal, log }) => log([placeholders.who, server.product, typeof native, signal.aborted].join(' '));`,
    });
    await files.migrator({ placeholders: { who: 'me' } }).up();
    expect(notesOf(files.events)).toContain(`me ${driver === 'pg' ? 'postgres' : 'mariadb'} object false`);
  });

  test('whose up() sends no statement is applied, with a note', async () => {
    files.write({
      'V1__a.js': 'exports.up = () => {};',
      'V2__b.js': 'exports.up = ({ native }) => void native;',
    });
    expect((await files.migrator().up()).applied).toHaveLength(2);
    expect(files.events.filter((event) => event.kind === 'note' && event.script !== undefined)).toMatchObject(
      [
        {
          script: 'V1__a.js',
          message: expect.stringMatching(/^Its `up` sent no statement\. It counts as applied/),
        },
      ],
    );
  });

  test('that throws is rolled back with what it had done', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.js': `exports.up = async ({ sql }) => { await sql('INSERT INTO a VALUES (1)'); throw new Error('no such customer'); };`,
    });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ script: 'V2__b.js', effect: 'rolled back' });
    expect(error.message).toMatch(/^V2__b\.js: .*no such customer\./);
    expect(await engine.query('SELECT n FROM a')).toEqual([]);
  });

  test('with transaction = false leaves what it had done, and says so', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'V2__b.js': `exports.transaction = false; exports.up = async ({ sql }) => { await sql('INSERT INTO a VALUES (1)'); throw new Error('half done'); };`,
    });
    const error = await failureOf(files.migrator().up());
    expect(error).toMatchObject({ effect: 'partial' });
    expect(error.message).toMatch(
      /Next: Take back by hand what it had done, correct it, run `repair`, then `up`/,
    );
    expect(error.message).not.toMatch(/finish it|correct the failed/i);
    expect(await engine.query('SELECT n FROM a')).toEqual([{ n: 1 }]);
    const again = await failureOf(files.migrator().up());
    expect(again.message).toContain('repair');
    await files.migrator().repair();
    files.write({ 'V2__b.js': `exports.up = () => undefined;` });
    await files.migrator().up();
  });

  test('is undone by its down()', async () => {
    files.write({
      'V1__a.js': `exports.up = ({ sql }) => sql('CREATE TABLE a (n INT)'); exports.down = ({ sql }) => sql('DROP TABLE a');`,
    });
    const migrator = files.migrator();
    await migrator.up();
    expect(await engine.tables()).toEqual(['a']);
    await migrator.undo();
    expect(await engine.tables()).toEqual([]);
  });

  test('of TypeORM is refused with what to write in its place', async () => {
    files.write({
      '1700000000000-AddOrders.ts': `export class AddOrders1700000000000 { async up(queryRunner: any) { await queryRunner.query('CREATE TABLE a (n INT)'); } }`,
    });
    const error = await failureOf(files.migrator().up());
    expect(error.message).toMatch(/migration class of TypeORM.*context\.sql\(text\)/s);
    expect(await engine.tables()).toEqual([]);
  });

  test.each([
    'module.exports = { up: async (queryInterface, Sequelize) => { await queryInterface.createTable("a", {}); } };',
    'exports.up = async function (queryInterface) { await queryInterface.createTable("a", {}); };',
    'exports.up = async ({ context: queryInterface }) => { await queryInterface.createTable("a", {}); };',
  ])('of umzug or Sequelize is refused with what to write in its place: %s', async (text) => {
    files.write({ 'V1__a.js': text });
    const error = await failureOf(files.migrator().up());
    expect(error.message).toMatch(/of umzug or Sequelize.*context\.sql\(text\).*coming-from-umzug\.md/s);
  });

  test('that exports nothing of use, or cannot be loaded, is named', async () => {
    files.write({ 'V1__a.js': 'exports.run = 1;' });
    expect((await failureOf(files.migrator().up())).message).toMatch(/^V1__a\.js: it exports neither/);
    files.write({ 'V1__a.js': "require('./nowhere.js');" });
    expect((await failureOf(files.migrator().up())).message).toMatch(
      /^V1__a\.js: it cannot be loaded: .*nowhere/s,
    );
  });
});
