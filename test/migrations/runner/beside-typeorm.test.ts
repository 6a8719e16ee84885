import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { DataSource } from 'typeorm';
import { failureOf, usePostgres, useWorkspace } from './workspace.js';

const TYPEORM = path.join(__dirname, '../../../node_modules/typeorm');

const THEIRS = `exports.AddOrders1700000000000 = class AddOrders1700000000000 {
  async up(queryRunner) { await queryRunner.query('CREATE TABLE orders (id int PRIMARY KEY)'); }
  async down(queryRunner) { await queryRunner.query('DROP TABLE orders'); }
};`;
const OURS = `export async function up({ sql }: { sql(text: string): Promise<unknown> }): Promise<void> {
  await sql('ALTER TABLE orders ADD note varchar');
}`;

/** What docs/coming-from-typeorm.md says of TypeORM's own side is tried out on TypeORM. */
describe('beside TypeORM', () => {
  const engine = usePostgres();
  const files = useWorkspace(engine);

  /** A DataSource as an application has it, with `migrations` or without. */
  const start = async (migrations: string[], isRun = false): Promise<DataSource> => {
    const source = new DataSource({ type: 'postgres', url: engine.url, migrations });
    await source.initialize();
    try {
      if (isRun) await source.runMigrations();
    } finally {
      await source.destroy();
    }
    return source;
  };

  const run = (...args: string[]): Promise<{ stdout: string }> => {
    files.write({
      'data-source.cjs': `const { DataSource, EntitySchema } = require(${JSON.stringify(TYPEORM)});
const order = new EntitySchema({
  name: 'orders',
  columns: { id: { type: 'int', primary: true }, note: { type: 'varchar', nullable: true }, total: { type: 'int' } },
});
exports.source = new DataSource({ type: 'postgres', url: ${JSON.stringify(engine.url)}, entities: [order] });`,
    });
    const source = path.join(files.folder, 'data-source.cjs');
    return promisify(execFile)(process.execPath, [path.join(TYPEORM, 'cli.js'), ...args, '-d', source], {
      env: { ...process.env, NO_COLOR: '1' },
    });
  };

  test('a file in code keeps an application from starting that has `migrations`, and not one without', async () => {
    files.write({ 'src/migrations/1700000000000-AddOrders.js': THEIRS });
    const everything = [`${files.folder}/src/migrations/*{.ts,.js}`];
    await start(everything, true);
    const migrator = files.migrator({ directories: ['src/migrations'] });
    await migrator.adopt({ from: 'typeorm' });

    files.write({
      'src/migrations/1800000000000-AddNote.js':
        'exports.up = async ({ sql }) => sql("ALTER TABLE orders ADD note varchar");',
    });
    expect((await failureOf(start(everything))).message).toContain('migrationClass is not a constructor');
    await start([]);
    expect((await migrator.up()).applied.map(({ script }) => script)).toEqual(['1800000000000-AddNote.js']);
  });

  test('files of SQL, and a folder of their own, are safe also where `migrations` stays', async () => {
    files.write({ 'src/migrations/1700000000000-AddOrders.js': THEIRS });
    const everything = [`${files.folder}/src/migrations/*{.ts,.js}`];
    await start(everything, true);
    files.write({
      'src/migrations/V1800000000000__add_total.sql': 'ALTER TABLE orders ADD total int',
      'migrations/1900000000000-AddNote.ts': OURS,
    });
    const migrator = files.migrator({ directories: ['src/migrations', 'migrations'] });
    await migrator.adopt({ from: 'typeorm' });
    await start(everything, true);
    expect((await migrator.up()).applied).toHaveLength(2);
    await start(everything, true);
  });

  test('`migration:generate --dryrun` prints what the entities need, without `migrations`', async () => {
    files.write({
      'migrations/V1__orders.sql':
        'CREATE TABLE orders (id int NOT NULL, CONSTRAINT "PK_710e2d4957aa5878dfe94e4ac2f" PRIMARY KEY (id))',
    });
    const migrator = files.migrator({ directories: ['migrations'] });
    await migrator.up();
    const { stdout } = await run('migration:generate', 'AddNote', '--dryrun');
    const statements = [...stdout.matchAll(/queryRunner\.query\(`(ALTER TABLE "orders" ADD .*?)`\)/g)].map(
      ([, sql]) => sql,
    );
    expect(statements).toEqual([
      expect.stringMatching(/ADD "note" character varying/),
      expect.stringMatching(/ADD "total" integer NOT NULL/),
    ]);

    files.write({ 'migrations/V2__add_note.sql': statements.join(';\n') });
    await migrator.up();
    const check = run('migration:generate', 'AddNote', '--check', '--dryrun');
    expect((await check).stdout).toContain('No changes in database schema were found');
  });
});
