import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { useProjects } from './project.js';

const project = useProjects();

const shop = {
  'migrations/V1__add_orders.sql': 'CREATE TABLE orders (id int PRIMARY KEY);\n',
  'migrations/V2__add_items.sql': 'CREATE TABLE items (id int);\n',
};

describe('create', () => {
  test('makes the next file and prints its path', async () => {
    const at = project(shop);
    const { exitCode, stdout } = await at.run(['create', 'add', 'prices']);

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'migrations/V3__add_prices.sql\n' });
    expect(readFileSync(join(at.folder, 'migrations/V3__add_prices.sql'), 'utf8')).toBe('');
  });

  test('makes the directory for the first one, and prints the path from where it was called', async () => {
    const at = project({ 'holdfast.config.json': '{ "directories": ["db/migrations"] }', 'src/x.ts': '' });
    const { stdout } = await at.run(['create', 'init', '--undo'], { cwd: 'src' });

    expect(stdout).toBe('../db/migrations/V1__init.sql\n../db/migrations/U1__init.sql\n');
    expect(readdirSync(join(at.folder, 'db/migrations')).sort()).toEqual(['U1__init.sql', 'V1__init.sql']);
  });

  test('puts it beside the highest version', async () => {
    const at = project({
      'migrations/2025/V1__a.sql': '',
      'migrations/2026/V2__b.sql': '',
      'migrations/R__v.sql': '',
    });

    expect((await at.run(['create', 'c'])).stdout).toBe('migrations/2026/V3__c.sql\n');
    expect((await at.run(['create', 'w', '--repeatable'])).stdout).toBe('migrations/R__w.sql\n');
  });

  test('makes a folder beside folders, and code', async () => {
    const at = project({ 'migrations/20250101000000_a/migration.sql': '' });
    const { stdout } = await at.run(['create', 'b']);

    expect(stdout).toMatch(/^migrations\/\d{14}_b\/migration\.sql\n$/);
    expect(existsSync(join(at.folder, stdout.trim()))).toBe(true);
    expect((await at.run(['create', 'c', '--ts'])).stdout).toMatch(/^migrations\/\d{14}_c\.ts\n$/);
  });

  test('overwrites nothing', async () => {
    const at = project({ 'migrations/R__v.sql': 'SELECT 1;' });
    const { exitCode, stderr } = await at.run(['create', 'v', '--repeatable']);

    expect({ exitCode, stderr }).toMatchObject({
      exitCode: 64,
      stderr: expect.stringContaining('is there already'),
    });
    expect(readFileSync(join(at.folder, 'migrations/R__v.sql'), 'utf8')).toBe('SELECT 1;');
  });

  test('a name that no file can have is said to be too long, and nothing is made', async () => {
    const at = project({ 'migrations/2024.03.01T12.00.00.x.js': 'exports.up = async () => {};' });
    const { exitCode, stderr } = await at.run(['create', 'x'.repeat(320)]);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 64,
      stderr: expect.stringMatching(/320 characters.*255 bytes: say in fewer words[^\n]*\n$/),
    });
    expect(readdirSync(join(at.folder, 'migrations'))).toHaveLength(1);
    const fits = await at.run(['create', 'next', 'thing']);
    expect(fits.stdout).toMatch(/^migrations\/2\d{3}\.\d\d\.\d\dT\d\d\.\d\d\.\d\d\.next_thing\.sql\n$/);
  });

  test('a folder in which nothing can be made is named', async () => {
    const at = project({ db: 'a file' });
    const { exitCode, stderr } = await at.run(['create', 'x', '--directory', 'db/migrations']);
    expect({ exitCode, stderr }).toEqual({
      exitCode: 64,
      stderr: expect.stringMatching(/V1__x\.sql cannot be written \((?:ENOTDIR|EEXIST)\)\. [^\n]*\n$/),
    });
  });

  test('--repeatable has no undo', async () => {
    expect(await project().run(['create', 'v', '--repeatable', '--undo'])).toMatchObject({ exitCode: 64 });
  });
});
