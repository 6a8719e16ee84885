import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { resolveSettings } from '../../src/cli/settings/resolve-settings.js';
import { SETTINGS } from '../../src/cli/settings/settings-table.js';
import { readMigratorOptions } from 'holdfast/migrations';
import { type Project, useProjects } from './project.js';

const project = useProjects();

interface Given {
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const resolved = (at: Project, { flags = {}, env = {}, cwd = '.' }: Given = {}) =>
  resolveSettings(flags, { env, cwd: join(at.folder, cwd) });

const config = (content: object): Record<string, string> => ({
  'holdfast.config.json': JSON.stringify(content),
});

describe('an option is taken from', () => {
  const file = { url: 'postgres://file/db', lock: { waitMs: 1 }, history: 'flyway' };

  test('the file, where nobody else sets it', async () => {
    const { options, sources } = await resolved(project(config(file)));

    expect(options).toMatchObject({ url: 'postgres://file/db', lock: { waitMs: 1 } });
    expect(options.history).toEqual({ format: 'flyway' });
    expect(sources.get('url')).toMatch(/holdfast\.config\.json$/);
  });

  test('the environment before the file', async () => {
    const env = { DATABASE_URL: 'postgres://env/db', HOLDFAST_LOCK_WAIT: '30s', HOLDFAST_HISTORY_TABLE: 't' };
    const { options, sources } = await resolved(project(config(file)), { env });

    expect(options).toMatchObject({ url: 'postgres://env/db', lock: { waitMs: 30_000 } });
    expect(options.history).toEqual({ format: 'flyway', table: 't' });
    expect(sources.get('url')).toBe('DATABASE_URL');
  });

  test('HOLDFAST_URL before DATABASE_URL', async () => {
    const env = { DATABASE_URL: 'postgres://general/db', HOLDFAST_URL: 'postgres://own/db' };

    expect((await resolved(project(), { env })).options.url).toBe('postgres://own/db');
  });

  test('a flag before the environment', async () => {
    const env = { DATABASE_URL: 'postgres://env/db', HOLDFAST_LOCK_WAIT: '30s' };
    const flags = { url: 'postgres://flag/db', lockWait: '0' };
    const { options, sources } = await resolved(project(config(file)), { env, flags });

    expect(options).toMatchObject({ url: 'postgres://flag/db', lock: { waitMs: 0 } });
    expect(sources.get('url')).toBe('--url');
  });

  test.each([
    ['url', { url: 'postgres://a/b' }, { HOLDFAST_URL_FILE: '/run/secret' }, { urlFile: '/run/secret' }],
    ['urlFile', { urlFile: 'secret' }, { DATABASE_URL: 'postgres://a/b' }, { url: 'postgres://a/b' }],
  ])('a stronger place than the one of %s, which is dropped', async (dropped, inFile, env, expected) => {
    const { options } = await resolved(project(config(inFile)), { env });

    expect(options).toMatchObject(expected);
    expect(options).not.toHaveProperty(dropped);
  });

  test('a list of the strongest place alone, placeholders of all of them', async () => {
    const inFile = { directories: ['a'], placeholders: { x: '1', y: '1', z: '1' } };
    const at = project(config(inFile));
    const env = { HOLDFAST_DIRECTORIES: 'b, c', HOLDFAST_PLACEHOLDER_y: '2', HOLDFAST_PLACEHOLDER_z: '2' };
    const { options } = await resolved(at, { env, flags: { placeholder: ['z=3=3'] } });

    expect(options.directories).toEqual([join(at.folder, 'b'), join(at.folder, 'c')]);
    expect(options.placeholders).toEqual({ x: '1', y: '2', z: '3=3' });
  });

  test('nowhere, when a variable is empty', async () => {
    const env = { DATABASE_URL: '', HOLDFAST_LOCK_WAIT: '' };

    expect((await resolved(project(), { env })).options).not.toHaveProperty('url');
  });
});

describe('a url in the place of its file is refused without being shown, given by', () => {
  const url = 'postgres://shop:s3cr3t@127.0.0.1:1/e1';

  test.each([
    ['a flag', {}, ['--url-file', url], {}],
    ['a variable', {}, [], { DATABASE_URL_FILE: url }],
    ['the file', config({ urlFile: url }), [], {}],
  ])('%s', async (_, files, flags, env) => {
    const at = project(files);
    for (const command of ['status', 'doctor']) {
      const { exitCode, stdout, stderr } = await at.run([command, ...flags], { env });

      expect(exitCode).toBe(64);
      expect(stderr).toContain('urlFile must be the path of a file that holds the url');
      expect(stdout + stderr).not.toContain('s3cr3t');
    }
  });
});

describe('a relative path starts at', () => {
  test("the file's folder, in the file", async () => {
    const at = project(config({ directories: ['db'], urlFile: 'secret' }));
    mkdirSync(join(at.folder, 'deep/er'), { recursive: true });
    const { options } = await resolved(at, { cwd: 'deep/er' });

    expect(options.directories).toEqual([join(at.folder, 'db')]);
    expect(options.urlFile).toBe(join(at.folder, 'secret'));
  });

  test('the working directory, in a flag and in a variable', async () => {
    const at = project(config({ directories: ['db'] }));
    mkdirSync(join(at.folder, 'deep'));
    const given = { cwd: 'deep', flags: { directory: ['x'] }, env: { DATABASE_URL_FILE: 'y' } };
    const { options } = await resolved(at, given);

    expect(options.directories).toEqual([join(at.folder, 'deep/x')]);
    expect(options.urlFile).toBe(join(at.folder, 'deep/y'));
  });

  test("the file's folder for the default `migrations`", async () => {
    const at = project(config({ schema: 's' }));
    mkdirSync(join(at.folder, 'deep'));

    expect((await resolved(at, { cwd: 'deep' })).options.directories).toEqual([
      join(at.folder, 'migrations'),
    ]);
  });
});

describe('the configuration file', () => {
  test.each([
    [
      'holdfast.config.ts',
      `import { defineConfig } from 'holdfast/migrations';\nexport default defineConfig({ schema: 's' as string });`,
    ],
    ['holdfast.config.ts', `export default async () => ({ schema: await Promise.resolve('s') });`],
    ['holdfast.config.mts', `export default { schema: 's' } satisfies object;`],
    ['holdfast.config.cjs', `module.exports = { schema: 's' };`],
    ['holdfast.config.js', `module.exports = { schema: 's' };`],
    ['holdfast.config.json', `{ "schema": "s" }`],
  ])('%s is read', async (name, content) => {
    const at = project({ [name]: content });
    const { exitCode, last } = await at.json(['create', 'x']);

    expect({ exitCode, kind: last.kind }).toEqual({ exitCode: 0, kind: 'result' });
  });

  test.each([
    ['holdfast.config.js', '{ "type": "module" }'],
    ['holdfast.config.mjs', '{}'],
  ])('%s is read as an ES module', async (name, manifest) => {
    const at = project({
      'package.json': manifest,
      [name]: `export default { directories: ['elsewhere'] };`,
    });
    const { last } = await at.json(['create', 'x']);

    expect(last['files']).toEqual([join(at.folder, 'elsewhere/V1__x.sql')]);
  });

  test('is looked for above, up to the root of the repository', async () => {
    const at = project({
      'repo/packages/app/package.json': '{}',
      'repo/.git/HEAD': '',
      ...config({ schema: 'outside' }),
    });
    const cwd = 'repo/packages/app';

    expect((await resolved(at, { cwd })).configFile).toBeUndefined();
    at.write({ 'repo/holdfast.config.json': '{ "schema": "root" }' });
    expect((await resolved(at, { cwd })).options.schema).toBe('root');
    at.write({ 'repo/packages/app/holdfast.config.json': '{ "schema": "app" }' });
    expect((await resolved(at, { cwd })).options.schema).toBe('app');
  });

  test('can be named by --config and by HOLDFAST_CONFIG', async () => {
    const at = project({ 'a.json': '{ "schema": "a" }', 'b.json': '{ "schema": "b" }' });

    expect((await resolved(at, { env: { HOLDFAST_CONFIG: 'a.json' } })).options.schema).toBe('a');
    expect(
      (await resolved(at, { env: { HOLDFAST_CONFIG: 'a.json' }, flags: { config: 'b.json' } })).options
        .schema,
    ).toBe('b');
  });
});

describe('what is wrong is refused, with its place:', () => {
  test.each<[string, Record<string, string>, Given, RegExp]>([
    [
      'two files',
      { 'holdfast.config.ts': '', 'holdfast.config.json': '{}' },
      {},
      /holds both holdfast\.config\.ts and holdfast\.config\.json/,
    ],
    [
      'a named file that is not there',
      {},
      { flags: { config: 'no.json' } },
      /no configuration file no\.json/,
    ],
    [
      'JSON that is none',
      { 'holdfast.config.json': '{ "schema": }' },
      {},
      /holdfast\.config\.json: the configuration file cannot be read/,
    ],
    [
      'an unknown option',
      config({ directorys: [] }),
      {},
      /holdfast\.config\.json: options has no option "directorys"; did you mean "directories"/,
    ],
    [
      'a wrong type',
      config({ lock: { waitMs: 'long' } }),
      {},
      /holdfast\.config\.json: options\.lock\.waitMs must be a whole number/,
    ],
    ['an option for code', config({ pool: {} }), {}, /options\.pool is for createMigrator\(\) in code/],
    ['no object', { 'holdfast.config.json': '[]' }, {}, /exports no configuration/],
    [
      'two urls in a file',
      config({ url: 'a', urlFile: 'b' }),
      {},
      /holdfast\.config\.json: url and urlFile are both set/,
    ],
    [
      'two urls in the environment',
      {},
      { env: { DATABASE_URL: 'a', DATABASE_URL_FILE: 'b' } },
      /^DATABASE_URL and DATABASE_URL_FILE are both set/,
    ],
    ['two urls in flags', {}, { flags: { url: 'a', urlFile: 'b' } }, /^--url and --url-file are both set/],
    [
      'an unknown variable',
      {},
      { env: { HOLDFAST_DIRECTORYS: 'a' } },
      /HOLDFAST_DIRECTORYS is none of holdfast's; did you mean HOLDFAST_DIRECTORIES\?/,
    ],
    [
      'a duration without a unit',
      {},
      { env: { HOLDFAST_LOCK_WAIT: '30' } },
      /^HOLDFAST_LOCK_WAIT must be a number with a unit, such as 500ms, 30s/,
    ],
    [
      'a history that there is not',
      {},
      { flags: { history: 'liquibase' } },
      /^--history must be one of holdfast, flyway, prisma, but is "liquibase"/,
    ],
    [
      'a boolean that is none',
      {},
      { env: { HOLDFAST_OUT_OF_ORDER: 'maybe' } },
      /^HOLDFAST_OUT_OF_ORDER must be true or false/,
    ],
    [
      'a placeholder without a value',
      {},
      { flags: { placeholder: ['x'] } },
      /^--placeholder must be name=value/,
    ],
  ])('%s', async (_, files, given, message) => {
    await expect(resolved(project(files), given)).rejects.toThrow(message);
  });

  test('TypeScript with a syntax error: file, line and exit code 64', async () => {
    const at = project({ 'holdfast.config.ts': 'export default {\n  schema: ,\n};\n' });
    const { exitCode, stderr } = await at.run(['status']);

    expect(stderr.split(`${join(at.folder, 'holdfast.config.ts')}:2:`)).toHaveLength(2);
    expect(exitCode).toBe(64);
  });

  test.each(['holdfast.config.mjs', 'holdfast.config.cjs'])(
    '%s with a syntax error: file and line',
    async (name) => {
      const at = project({ [name]: 'const x = 1;\nconst = 2;\n' });
      const { exitCode, stderr } = await at.run(['status']);

      expect(stderr).toContain(`${join(at.folder, name)}:2`);
      expect(exitCode).toBe(64);
    },
  );

  test('a file that throws: what it threw', async () => {
    const at = project({ 'holdfast.config.ts': `throw new Error('no VAULT_TOKEN');\nexport default {};` });
    const { exitCode, stderr } = await at.run(['status']);

    expect(stderr).toContain('no VAULT_TOKEN');
    expect(exitCode).toBe(64);
  });
});

test("a service of Kubernetes that is named holdfast sets variables that are nobody's settings", async () => {
  const env = {
    HOLDFAST_SERVICE_HOST: '10.0.0.1',
    HOLDFAST_PORT: 'tcp://10.0.0.1:80',
    HOLDFAST_API_PORT_80_TCP_ADDR: '10.0.0.1',
  };

  await expect(resolved(project(), { env })).resolves.toBeDefined();
});

test('every setting is an option of createMigrator() and has a value there that its reader makes', () => {
  const texts: Readonly<Record<string, string>> = {
    recursive: 'false',
    outOfOrder: 'true',
    driver: 'pg',
    'history.format': 'flyway',
    'lock.kind': 'lease',
    allowWarnings: '1265, 1292',
    placeholders: 'a=b',
  };
  for (const { path, read } of SETTINGS) {
    const value = read(texts[path] ?? (path.endsWith('Ms') ? '45s' : 'x'), path);
    const [first, second] = path.split('.') as [string, string?];

    expect(() =>
      readMigratorOptions({ [first]: second === undefined ? value : { [second]: value } }),
    ).not.toThrow();
  }
});

test('a wrong flag is told with the command that it was typed for', async () => {
  const { exitCode, last } = await project().json(['up', '--nope']);

  expect(exitCode).toBe(64);
  expect(last).toMatchObject({ kind: 'error', command: 'up', code: 'USAGE' });
});
