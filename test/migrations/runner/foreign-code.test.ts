import { MigrationFailedError, ValidationFailedError } from '../../../src/migrations/index.js';
import { failureOf, useMariadb, usePostgres, useWorkspace } from './workspace.js';

const engines = [
  ['pg', usePostgres],
  ['mysql2', () => useMariadb('mysql2')],
] as const;

const TYPEORM = `import type { MigrationInterface, QueryRunner } from 'typeorm';
export class AddOrders1700000000000 implements MigrationInterface {
  name = 'AddOrders1700000000000';
  public async up(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('CREATE TABLE a (n INT)');
  }
  public async down(queryRunner: QueryRunner): Promise<void> {
    await queryRunner.query('DROP TABLE a');
  }
}
`;

const UMZUG = [
  [
    'destructured',
    'exports.down = async ({ context }) => { await context.sequelize.query("DROP TABLE a"); };',
  ],
  ['renamed', 'exports.down = async ({ name, context: db }) => db.sequelize.query("DROP TABLE a");'],
  ['typed', 'const down = async ({ context }) => context.query("x"); module.exports = { up() {}, down };'],
  [
    'of the Sequelize CLI',
    'module.exports = { up: async (q) => {}, down: async (queryInterface, Sequelize) => {} };',
  ],
  [
    'without brackets',
    'module.exports = { up: (q) => {}, down: queryInterface => queryInterface.dropTable("a") };',
  ],
  ['as a method', 'module.exports = { async up() {}, async down({ context: queryInterface }) {} };'],
] as const;

describe.each(engines)('what another tool applied in code, by %s', (driver, use) => {
  const engine = use();
  const files = useWorkspace(engine);

  const theyApplied = async (tool: 'typeorm' | 'umzug', name: string): Promise<void> => {
    await engine.query('CREATE TABLE a (n INT)');
    if (tool === 'umzug') {
      await engine.query('CREATE TABLE umzug_meta (name VARCHAR(255) NOT NULL PRIMARY KEY)');
      await engine.query(`INSERT INTO umzug_meta VALUES ('${name}')`);
    } else {
      await engine.query(
        'CREATE TABLE migrations (id INT PRIMARY KEY, timestamp BIGINT NOT NULL, name VARCHAR(99) NOT NULL)',
      );
      await engine.query(`INSERT INTO migrations VALUES (1, 1700000000000, '${name}')`);
    }
    await files.migrator().adopt({ from: tool, ...(tool === 'umzug' ? { table: 'umzug_meta' } : {}) });
  };
  const undoState = async (): Promise<unknown> =>
    (await files.migrator().status()).entries.find(({ kind }) => kind === 'undo')?.state;
  const hasA = async (): Promise<boolean> => (await engine.tables()).includes('a');

  describe('a class of TypeORM', () => {
    beforeEach(async () => {
      files.write({ '1700000000000-AddOrders.ts': TYPEORM });
      await theyApplied('typeorm', 'AddOrders1700000000000');
    });

    test('is not called AVAILABLE, and its undo says what to write before anything is done', async () => {
      expect(await undoState()).toBe('UNAVAILABLE');
      const error = await failureOf(files.migrator().undo());
      expect(error).toBeInstanceOf(ValidationFailedError);
      expect(error.message).toMatch(
        /^1700000000000-AddOrders\.ts .*`down`.*QueryRunner.*Write U1700000000000__AddOrders\.sql.*coming-from-typeorm\.md/s,
      );
      expect(error.message).not.toContain('`up`');
      expect(await hasA()).toBe(true);
    });

    test('is undone by a file of SQL beside it', async () => {
      files.write({ 'U1700000000000__AddOrders.sql': 'DROP TABLE a' });
      expect(await undoState()).toBe('AVAILABLE');
      await files.migrator().undo();
      expect(await hasA()).toBe(false);
    });

    test('is undone by a down that was rewritten for a context', async () => {
      files.write({
        '1700000000000-AddOrders.ts': TYPEORM.replace(
          'down(queryRunner: QueryRunner)',
          'down(context: any)',
        ).replace("queryRunner.query('DROP", "context.sql('DROP"),
      });
      expect(await undoState()).toBe('AVAILABLE');
      await files.migrator().undo();
      expect(await hasA()).toBe(false);
    });

    test('is pending as itself again, and says what to write', async () => {
      files.write({ 'U1700000000000__AddOrders.sql': 'DROP TABLE a' });
      await files.migrator().undo();
      const error = await failureOf(files.migrator().up());
      expect(error.message).toMatch(
        /its `up` needs a QueryRunner.*let `up` take a MigrationContext.*run `up`|context\.sql/s,
      );
    });
  });

  test.each(UMZUG)('a module of umzug, %s, cannot be undone as it is', async (__, text) => {
    files.write({ '001-add-orders.js': text });
    await theyApplied('umzug', '001-add-orders.js');
    expect(await undoState()).toBe('UNAVAILABLE');
    const error = await failureOf(files.migrator().undo());
    expect(error.message).toMatch(
      /^001-add-orders\.js .*`down`.*umzug.*Write U001__add-orders\.sql.*coming-from-umzug\.md/s,
    );
    files.write({ 'U001__add-orders.sql': 'DROP TABLE a' });
    await files.migrator().undo();
    expect(await hasA()).toBe(false);
  });

  test.each([
    [
      'destructured',
      'exports.up = async ({ context }) => { await context.sequelize.query("CREATE TABLE b (n INT)"); };',
    ],
    [
      'as a member',
      'exports.up = async (params) => { await params.context.sequelize.query("CREATE TABLE b (n INT)"); };',
    ],
  ])('a pending up of umzug, %s, is told what to change', async (__, text) => {
    files.write({ '001-add-orders.js': text });
    const error = await failureOf<MigrationFailedError>(files.migrator().up());
    expect(error).toMatchObject({ effect: 'rolled back' });
    expect(error.message).toMatch(
      /of umzug or Sequelize.*`up`.*context\.sql\(text\).*coming-from-umzug\.md/s,
    );
    expect(error.message).not.toContain('undefined');
  });

  test('a down that looks like ours and reads umzug’s context is told of down, and of undo', async () => {
    files.write({
      '001-add-orders.js':
        'exports.up = ({ sql }) => sql("CREATE TABLE a (n INT)"); exports.down = (params) => params.context.query("x");',
    });
    await files.migrator().up();
    const error = await failureOf(files.migrator().undo());
    expect(error.message).toMatch(
      /^001-add-orders\.js#down: .*its `down`.*let `down` take a MigrationContext/s,
    );
    expect(error.message).not.toContain('`up`');
  });

  test('an undo that fails speaks of undo', async () => {
    files.write({
      'V1__a.sql': 'CREATE TABLE a (n INT)',
      'U1__a.sql': 'DROP TABLE nowhere',
      'V2__b.js':
        'exports.up = ({ sql }) => sql("CREATE TABLE b (n INT)"); exports.down = () => { throw new Error("no"); };',
    });
    await files.migrator().up();
    for (const script of ['V2__b.js#down', 'U1__a.sql']) {
      const error = await failureOf(files.migrator().undo());
      expect(error.message).toContain(script);
      expect(error.message).toMatch(/Next: .*run `undo` again/);
      expect(error.message).not.toContain('`up`');
      files.write({ 'V2__b.js': 'exports.up = () => 1; exports.down = ({ sql }) => sql("DROP TABLE b");' });
      await files
        .migrator()
        .undo()
        .catch(() => undefined);
    }
  });

  test.each([
    ['a word in a comment', '// down(queryRunner) was what TypeORM called\n'],
    ['a context that is given', '/* down({ context }) */ const context = 1; void context;\n'],
  ])('our own down is not taken for theirs: %s', async (__, before) => {
    files.write({
      'V1__a.js': `${before}exports.up = ({ sql }) => sql("CREATE TABLE a (n INT)"); exports.down = (context) => context.sql("DROP TABLE a");`,
    });
    await files.migrator().up();
    expect(await undoState()).toBe('AVAILABLE');
    await files.migrator().undo();
    expect(await hasA()).toBe(false);
  });
});
