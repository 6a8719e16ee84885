import { createHash } from 'node:crypto';
import { chmodSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { InvalidMigrationsError } from '../../../src/migrations/errors';
import { resolveMigrations } from '../../../src/migrations/sources/resolve-migrations';
import type { SourceOptions } from '../../../src/migrations/sources/sources';
import { directoryOf, removeDirectories } from './in-directory';

afterAll(removeDirectories);

const resolve = (root: string, options: Partial<SourceOptions> = {}) =>
  resolveMigrations({ directories: ['.'], cwd: root, recursive: true, ...options });

async function scriptsOf(files: Record<string, string>, options?: Partial<SourceOptions>): Promise<string[]> {
  const { migrations } = await resolve(directoryOf(files), options);
  return migrations.map(({ script }) => script);
}

async function problemOf(root: string, options?: Partial<SourceOptions>): Promise<string> {
  const error: unknown = await resolve(root, options).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(InvalidMigrationsError);
  return (error as Error).message;
}

test('a file becomes a migration with its version, both checksums and its path', async () => {
  const root = directoryOf({ 'orders/V1_2__add_orders.sql': 'SELECT 1;\r\n' });
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const { migrations } = await resolve(root);
  expect(migrations).toEqual([
    {
      kind: 'versioned',
      version: { text: '1.2', parts: [1n, 2n] },
      description: 'add orders',
      script: 'orders/V1_2__add_orders.sql',
      checksum: expect.any(Number),
      sha256: sha256('SELECT 1;\r\n'),
      sha256OfLineEnds: [sha256('SELECT 1;\n'), sha256('SELECT 1;\r\n')],
      body: { kind: 'sql', path: path.join(root, 'orders/V1_2__add_orders.sql') },
    },
  ]);
});

test('a file is read the same way whole and in pieces', async () => {
  const limit = 256 * 1024;
  const text = `\uFEFF-- migrate:up\r\nSELECT 1;\r\n-- migrate:down\r\n`;
  const padding = ' '.repeat(limit - Buffer.byteLength(text));
  const read = async (content: string) => (await resolve(directoryOf({ 'V1__a.sql': content }))).migrations;
  const whole = await read(text + padding);
  expect(whole).toMatchObject([{ sha256OfLineEnds: expect.any(Array) }, { kind: 'undo' }]);
  // The line end adds nothing to the checksum.
  const inPieces = await read(`${text}${padding}\n`);
  expect(inPieces).toMatchObject(whole.map(({ kind, checksum }) => ({ kind, checksum })));
  expect(inPieces[0]!.sha256).toBe(createHash('sha256').update(`${text}${padding}\n`).digest('hex'));
  expect(inPieces[0]!.sha256OfLineEnds).toBeUndefined();
});

test('versions go by number, baselines before and undos after the version that they share, repeatable ones last', async () => {
  expect(
    await scriptsOf({
      'R__b.sql': '',
      'R__a.sql': '',
      'V10__x.sql': '',
      'V2__x.sql': '',
      'V1.10__x.sql': '',
      'V1.9__x.sql': '',
      'U2__x.sql': '',
      'B2__x.sql': '',
      '20260131120000_x.sql': '',
    }),
  ).toEqual([
    'V1.9__x.sql',
    'V1.10__x.sql',
    'B2__x.sql',
    'V2__x.sql',
    'U2__x.sql',
    'V10__x.sql',
    '20260131120000_x.sql',
    'R__a.sql',
    'R__b.sql',
  ]);
});

test('callbacks go by moment, then by description', async () => {
  const { callbacks } = await resolve(
    directoryOf({
      'afterMigrate.sql': '',
      'beforeMigrate__b.ts': '',
      'sub/beforeMigrate__a.sql': '',
      'beforeMigrate.sql': '',
    }),
  );
  expect(callbacks.map(({ script, body }) => [script, body.kind])).toEqual([
    ['beforeMigrate.sql', 'sql'],
    ['sub/beforeMigrate__a.sql', 'sql'],
    ['beforeMigrate__b.ts', 'code'],
    ['afterMigrate.sql', 'sql'],
  ]);
});

describe('folders', () => {
  const files = { 'V1__a.sql': '', 'sub/deep/V2__b.sql': '', '20260131120000_c/migration.sql': '' };

  test('are looked into', async () => {
    expect(await scriptsOf(files)).toEqual([
      'V1__a.sql',
      'sub/deep/V2__b.sql',
      '20260131120000_c/migration.sql',
    ]);
  });

  test('are not, when not recursive, but for those that are migrations', async () => {
    expect(await scriptsOf(files, { recursive: false })).toEqual([
      'V1__a.sql',
      '20260131120000_c/migration.sql',
    ]);
  });

  test('of a folder that is a migration nothing else is read then', async () => {
    const withMore = { '1_a/migration.sql': '', '1_a/V9__b.sql': '', '1_a/2_c/migration.sql': '' };
    expect(await scriptsOf(withMore, { recursive: false })).toEqual(['1_a/migration.sql']);
    expect(await scriptsOf(withMore)).toEqual([
      '1_a/migration.sql',
      '1_a/2_c/migration.sql',
      '1_a/V9__b.sql',
    ]);
  });

  test('that are hidden, begin with _ or hold packages are left alone', async () => {
    expect(
      await scriptsOf({
        '.git/V1__a.sql': '',
        '_old/V2__b.sql': '',
        'node_modules/x/V3__c.sql': '',
        'V4__d.sql': '',
      }),
    ).toEqual(['V4__d.sql']);
  });

  test('Prisma’s are migrations, down.sql beside it is the undo, and the lock file is nothing', async () => {
    const { migrations, ignored } = await resolve(
      directoryOf({
        'migration_lock.toml': 'provider = "postgresql"',
        '0_init/migration.sql': '',
        '20260131120000_add_orders/migration.sql': '',
        '20260131120000_add_orders/down.sql': '',
        '20260131120000_add_orders/README.md': '',
      }),
    );
    expect(migrations.map(({ kind, description, script }) => [kind, description, script])).toEqual([
      ['versioned', 'init', '0_init/migration.sql'],
      ['versioned', 'add orders', '20260131120000_add_orders/migration.sql'],
      ['undo', 'add orders', '20260131120000_add_orders/down.sql'],
    ]);
    expect(ignored).toEqual([]);
  });

  test('a folder that is a migration by its name and holds none is told', async () => {
    const root = directoryOf({ '1_init/migration.sql': '', '2_next/README.md': '' });
    expect((await resolve(root)).ignored).toEqual([
      { script: '2_next/', reason: 'the folder holds no migration.sql' },
    ]);
  });

  test('several directories are one', async () => {
    const root = directoryOf({ 'core/V1__a.sql': '', 'shop/V2__b.sql': '' });
    const { migrations } = await resolve(root, { directories: ['core', path.join(root, 'shop')] });
    expect(migrations.map(({ script }) => script)).toEqual(['V1__a.sql', 'V2__b.sql']);
  });

  test('a directory inside another, or named twice, is found once', async () => {
    const root = directoryOf({ 'V1__a.sql': '', 'shop/V2__b.sql': '' });
    const { migrations } = await resolve(root, { directories: ['.', 'shop', '.'] });
    expect(migrations.map(({ script }) => script)).toEqual(['V1__a.sql', 'shop/V2__b.sql']);
  });
});

describe('links', () => {
  test('to files and folders are followed; one that leads back is no endless loop', async () => {
    const root = directoryOf({ 'db/V1__a.sql': '', 'shared/V2__b.sql': '', 'files/x': 'SELECT 3' });
    symlinkSync(path.join(root, 'shared'), path.join(root, 'db/linked'));
    symlinkSync(path.join(root, 'files/x'), path.join(root, 'db/V3__c.sql'));
    symlinkSync(path.join(root, 'db'), path.join(root, 'db/self'));
    const { migrations } = await resolve(root, { directories: ['db'] });
    expect(migrations.map(({ script }) => script)).toEqual(['V1__a.sql', 'linked/V2__b.sql', 'V3__c.sql']);
  });

  test('a folder is called by its own name, wherever a link to it is', async () => {
    const root = directoryOf({ 'a/V1__a.sql': '', 'b/c/V2__b.sql': '' });
    symlinkSync(path.join(root, 'b/c'), path.join(root, 'a/linked'));
    expect((await resolve(root)).migrations.map(({ script }) => script)).toEqual([
      'a/V1__a.sql',
      'b/c/V2__b.sql',
    ]);
  });

  test('a mounted ConfigMap of Kubernetes is read once', async () => {
    const root = directoryOf({ '..2026_01_31/V1__a.sql': '' });
    symlinkSync('..2026_01_31', path.join(root, '..data'));
    symlinkSync('..data/V1__a.sql', path.join(root, 'V1__a.sql'));
    expect((await resolve(root)).migrations.map(({ script }) => script)).toEqual(['V1__a.sql']);
  });

  test('one that leads nowhere is refused', async () => {
    const root = directoryOf({});
    symlinkSync('gone.sql', path.join(root, 'V1__a.sql'));
    expect(await problemOf(root)).toMatch(/V1__a\.sql is a link that leads nowhere.*Remove it/);
  });
});

describe('code', () => {
  test('has an undo where its text has a `down`', async () => {
    const { migrations } = await resolve(
      directoryOf({
        '1700000000000-Orders.ts': 'export class Orders { async up() {} async down() {} }',
        'V1__x.js': 'exports.up = async () => {};',
        'R__y.ts': 'export async function up() { /* down */ }',
      }),
    );
    expect(migrations.map(({ kind, script, body }) => [kind, script, body])).toEqual([
      ['versioned', 'V1__x.js', expect.objectContaining({ kind: 'code', direction: 'up' })],
      ['versioned', '1700000000000-Orders.ts', expect.objectContaining({ direction: 'up' })],
      ['undo', '1700000000000-Orders.ts#down', expect.objectContaining({ direction: 'down' })],
      ['repeatable', 'R__y.ts', expect.objectContaining({ direction: 'up' })],
    ]);
  });

  test('an undo file goes before the word `down` in the module', async () => {
    expect(await scriptsOf({ 'V1__x.ts': '// down', 'U1__x.sql': '' })).toEqual(['V1__x.ts', 'U1__x.sql']);
  });

  test('beside what it was compiled to is one migration: the source', async () => {
    expect(
      await scriptsOf({
        'V1__x.ts': '',
        'V1__x.js': '',
        'V1__x.js.map': '',
        'V1__x.d.ts': '',
        'V2__y.js': '',
        'V2__y.d.ts': '',
        'V3__z.cjs': '',
        'V3__z.mjs': '',
      }),
    ).toEqual(['V1__x.ts', 'V2__y.js', 'V3__z.mjs']);
  });

  test('beside SQL of the same version is refused', async () => {
    expect(await problemOf(directoryOf({ 'V1__x.ts': '', 'V1__x.sql': '' }))).toMatch(
      /V1__x\.sql and .*V1__x\.ts are both version 1/,
    );
  });
});

describe('a file that holds both directions', () => {
  test.each([
    ['dbmate', '-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;'],
    ['node-pg-migrate', '-- Up Migration\nSELECT 1;\n\n-- Down Migration\nSELECT 2;'],
    ['goose', '-- +goose Up\r\nSELECT 1;\r\n-- +goose Down\r\nSELECT 2;'],
  ])('is a version and its undo: %s', async (_, content) => {
    const { migrations } = await resolve(directoryOf({ '20260131120000_x.sql': content }));
    expect(migrations.map(({ kind, script, body }) => [kind, script, body])).toEqual([
      ['versioned', '20260131120000_x.sql', expect.objectContaining({ kind: 'sql', section: 'up' })],
      ['undo', '20260131120000_x.sql#down', expect.objectContaining({ kind: 'sql', section: 'down' })],
    ]);
  });

  test('has no undo when it has no such part', async () => {
    const { migrations } = await resolve(directoryOf({ '1_x.sql': '-- migrate:up\nSELECT 1' }));
    expect(migrations).toEqual([expect.objectContaining({ kind: 'versioned' })]);
    expect(migrations[0]?.body).toMatchObject({ section: 'up' });
  });

  test('an undo file beside it is refused', async () => {
    const root = directoryOf({ 'V1__x.sql': '-- migrate:down\n', 'U1__x.sql': '' });
    expect(await problemOf(root)).toMatch(/both the undo of version 1/);
  });
});

describe('what is refused names the files and what to do', () => {
  test.each([
    [
      'V1__a.sql',
      'V1.0__b.sql',
      /V1\.0__b\.sql and .*V1__a\.sql are both version 1\. Give one of them another/,
    ],
    ['a/V2__x.sql', 'b/V02__x.sql', /a\/V2__x\.sql and .*b\/V02__x\.sql are both version 2/],
    ['V1__a.sql', '001_b.sql', /both version 1/],
    ['U1__a.sql', 'U1__b.sql', /both the undo of version 1/],
    ['B1__a.sql', 'B1__b.sql', /both the baseline of version 1/],
    ['a/R__view.sql', 'b/R__view.sql', /both the repeatable migration "view"\. Rename one/],
    ['R__a_b.sql', 'R__a b.sql', /both the repeatable migration "a b"/],
    [
      'a/afterMigrate.sql',
      'b/afterMigrate.sql',
      /both the callback afterMigrate\. .*afterMigrate__description/,
    ],
  ])('%s and %s', async (first, second, message) => {
    expect(await problemOf(directoryOf({ [first]: '', [second]: '' }))).toMatch(message);
  });

  test('a version, its baseline and its undo are no twins', async () => {
    expect(await scriptsOf({ 'B1__a.sql': '', 'V1__a.sql': '', 'U1__a.sql': '' })).toHaveLength(3);
  });

  test('a misnamed file, with its path', async () => {
    const root = directoryOf({ 'sub/V1_add.sql': '' });
    expect(await problemOf(root)).toBe(
      `${path.join(root, 'sub/V1_add.sql')} is not run: call it V1__add.sql, with two underscores.`,
    );
  });

  test.each([
    ['v12__lower.sql', 'V12__lower.sql, with a capital V.'],
    ['r__view.sql', 'R__view.sql, with a capital R.'],
    ['v12_lower.sql', 'V12__lower.sql, with two underscores.'],
  ])('a misnamed file %s, with its fault', async (file, advice) => {
    const root = directoryOf({ [file]: '' });
    expect(await problemOf(root)).toBe(`${path.join(root, file)} is not run: call it ${advice}`);
  });

  test('everything that is wrong at once', async () => {
    const message = await problemOf(
      directoryOf({ 'V1_a.sql': '', 'seed.sql': '', 'V2__a.sql': '', 'V2__b.sql': '' }),
    );
    expect(message).toMatch(
      /^The migrations are wrong in 3 places:\n- .*V1_a\.sql.*\n- .*seed\.sql.*\n- .*version 2/,
    );
  });

  test('a folder of Prisma without a version: it is the folder that gets another name', async () => {
    expect(await problemOf(directoryOf({ 'prisma/init/migration.sql': '' }))).toMatch(
      /init.migration\.sql is not run: the name of its folder has no version\. Call the folder <version>_init, 0_init .* or _init to have it left alone\.$/,
    );
    expect(await problemOf(directoryOf({ 'migration.sql': '' }))).toContain('V<version>__migration.sql');
  });

  test('but not more than anybody reads', async () => {
    const files = Object.fromEntries(Array.from({ length: 25 }, (_, index) => [`x${index}.sql`, '']));
    expect((await problemOf(directoryOf(files))).split('\n').at(-1)).toBe('- and 5 more');
  });

  test('a directory that does not exist, which is the fault of the options', async () => {
    const root = directoryOf({});
    await expect(resolve(root, { directories: ['migrations'] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: `There is no directory ${path.join(root, 'migrations')}. Create it, or name the one that holds the migrations in \`directories\`.`,
    });
  });

  test('a file where a directory is named', async () => {
    const root = directoryOf({ migrations: '' });
    await expect(resolve(root, { directories: ['migrations'] })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(/is no directory/),
    });
  });

  test('a file and a folder that this process must not read', async () => {
    const root = directoryOf({ 'V1__a.sql': '', 'sub/V2__b.sql': '' });
    chmodSync(root, 0o755);
    chmodSync(path.join(root, 'V1__a.sql'), 0);
    chmodSync(path.join(root, 'sub'), 0);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65_534);
    try {
      const message = await problemOf(root);
      expect(message).toMatch(/V1__a\.sql cannot be read: give this process the right to/);
      expect(message).toMatch(/The directory .*sub cannot be read: give this process the right to/);
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(path.join(root, 'sub'), 0o755);
    }
  });
});

test('what was not run and may have been meant to be is told', async () => {
  const { migrations, ignored } = await resolve(
    directoryOf({ 'sub/V2__x.sql.bak': '', 'helpers.ts': '', '.hidden.sql': '', 'README.md': '' }),
  );
  expect(migrations).toEqual([]);
  expect(ignored).toEqual([
    { script: 'helpers.ts', reason: 'its name has no version' },
    { script: 'sub/V2__x.sql.bak', reason: 'it ends in .bak' },
  ]);
});

test('an empty directory holds nothing', async () => {
  expect(await resolve(directoryOf({}))).toEqual({ migrations: [], callbacks: [], ignored: [] });
});

test('1,000 small files are read at once', async () => {
  const sql = 'CREATE TABLE orders (id bigint PRIMARY KEY);\n'.repeat(20);
  const files = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`V${index + 1}__x.sql`, sql]));
  const root = directoryOf(files);
  const start = performance.now();
  const { migrations } = await resolve(root);
  const elapsedMs = performance.now() - start;
  expect(migrations).toHaveLength(1000);
  expect(migrations.at(-1)?.version?.text).toBe('1000');
  process.stdout.write(`1,000 files resolved in ${elapsedMs.toFixed(0)} ms\n`);
});
