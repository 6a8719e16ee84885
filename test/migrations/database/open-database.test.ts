import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { openDatabase } from '../../../src/migrations/database/open-database.js';
import type { Database } from '../../../src/migrations/database/session.js';
import { type MigratorOptions, readMigratorOptions } from '../../../src/migrations/options.js';
import { DRIVERS, type Driver, failureOf, useServer } from './drivers.js';

const open = async (options: MigratorOptions): Promise<Database> =>
  openDatabase(readMigratorOptions(options));

/** A folder of its own for a test, with these files. */
function folder(files: Readonly<Record<string, string>>): string {
  const made = mkdtempSync(join(tmpdir(), 'holdfast-open-'));
  folders.push(made);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(made, name, '..'), { recursive: true });
    writeFileSync(join(made, name), text);
  }
  return made;
}
const folders: string[] = [];
afterEach(() => {
  for (const made of folders.splice(0)) rmSync(made, { recursive: true });
});

describe('what names the database', () => {
  test.each([
    ['nothing', {}, /Nothing says which database/],
    ['two things', { url: 'postgres://h/d', urlFile: 'x' }, /more than once: url, urlFile/],
    ['another scheme', { url: 'sqlite:file.db' }, /must begin as in/],
    [
      'a driver of another database',
      { url: 'mysql://h/d', driver: 'pg' as const },
      /The driver pg cannot open/,
    ],
    ['no pool', { pool: { connect() {} } }, /must be a pool of pg, of mysql2/],
    [
      'a url in the place of its file',
      { urlFile: 'postgres://a:s3cr3t@h/d' },
      /urlFile must be the path of a file(?!.*s3cr3t)/,
    ],
    ['a file that is not there', { urlFile: '/nowhere/url' }, /\/nowhere\/url cannot be read \(ENOENT\)/],
  ])('is refused when it is %s', async (_, options, message) => {
    await expect(open(options)).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(message),
    });
  });

  test('may be a file, as a mounted secret is', async () => {
    const cwd = folder({ 'secrets/url': ' postgres://ada@db.internal/shop\n', empty: '\n' });
    expect(
      (await open({ urlFile: 'secrets/url', cwd: process.cwd() }).catch((error: Error) => error)).toString(),
    ).toContain('ENOENT');
    const made = await openDatabase({ ...readMigratorOptions({ urlFile: join(cwd, 'secrets/url') }) });
    expect(made.description).toBe('postgres://ada@db.internal:5432/shop');
    await expect(open({ urlFile: join(cwd, 'empty') })).rejects.toThrow(/empty is empty/);
  });
});

describe('the description of a database', () => {
  const env = { ...process.env };
  afterEach(() => void (process.env = { ...env }));

  test.each<[string, Driver, string]>([
    [
      'postgres://ada:se%23cret@db.internal:5433/shop?sslmode=disable',
      'pg',
      'postgres://ada@db.internal:5433/shop',
    ],
    ['postgresql://ada:secret@db.internal/shop', 'pg', 'postgres://ada@db.internal:5432/shop'],
    ['postgres://ada:secret@[::1]:5433/shop', 'pg', 'postgres://ada@[::1]:5433/shop'],
    [
      'postgres://ada:secret@/shop?host=/var/run/postgresql',
      'pg',
      'postgres://ada@%2Fvar%2Frun%2Fpostgresql/shop',
    ],
    ['postgres://ada:50%off@db.internal/shop', 'pg', 'postgres://ada@db.internal:5432/shop'],
    ['mysql://ada:secret@db.internal/shop', 'mysql2', 'mysql://ada@db.internal:3306/shop'],
    ['mariadb://ada:secret@db.internal:3307/shop?ssl=true', 'mariadb', 'mariadb://ada@db.internal:3307/shop'],
    ['mysql://ada:secret@[::1]/shop', 'mariadb', 'mysql://ada@[::1]:3306/shop'],
    [
      'mysql://ada:secret@localhost/shop?socket=/run/mysqld.sock',
      'mysql2',
      'mysql://ada@%2Frun%2Fmysqld.sock/shop',
    ],
  ])('holds no password: %s', async (url, driver, description) => {
    expect((await open({ url, driver })).description).toBe(description);
  });

  test('says what the environment filled in', async () => {
    Object.assign(process.env, { PGHOST: 'db.env', PGPORT: '6000', PGUSER: 'env', PGDATABASE: 'envshop' });
    expect((await open({ url: 'postgres://' })).description).toBe('postgres://env@db.env:6000/envshop');
  });
});

test.each([
  'postgres://ada:12#secret@db/shop',
  'postgres://ada:1/secret@db/shop',
  'postgres://ada:1?secret@db/shop',
  'postgres://ada:se cret:99999@db:99999/shop',
  'postgres://ada:secret@db:port/shop',
  'mysql://ada:12#secret@db/shop',
  'mysql://ada:secret@db:port/shop',
  'mysql://ada@db/shop?ssl={secret',
  'mysql://ada@db/shop?sslmode=secret',
  'postgres://ada:secret@db/shop?sslcert=/nowhere/x.pem',
  'ada:secret@db/shop',
])('a url that cannot be read is never shown: %s', async (url) => {
  const error = await failureOf(open({ url }));
  expect(error).toMatchObject({ code: 'INVALID_OPTIONS' });
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('secret');
});

describe('what the url says of where things go', () => {
  test.each<[string, Driver, RegExp]>([
    ['postgres://h/d?schema=', 'pg', /parameter schema is empty/],
    ['postgres://h/d?search_path=%20', 'pg', /parameter search_path is empty/],
    ['postgres://h/d?search_path=a,,b', 'pg', /is no list of schemas/],
    ['postgres://h/d?search_path=a%20b', 'pg', /is no list of schemas/],
    ['postgres://h/d?search_path=%22a', 'pg', /is no list of schemas/],
    ['postgres://h/d?schema=a&schema=b', 'pg', /gives schema twice/],
    ['postgres://h/d?search_path=a&currentSchema=b', 'pg', /both search_path and currentSchema/],
    ['postgres://h/d?schema_search_path=a', 'pg', /schema_search_path .* Write it as schema=NAME/],
    ['postgres://h/d?Search+Path=a', 'pg', /Search Path .* Write it as schema=NAME/],
    ['postgres://h/d?dbname=e', 'pg', /dbname .* Put the database at the end/],
    ['postgres://h/?database=e', 'pg', /database .* Put the database at the end/],
    ['postgres://h/d?hostaddr=10.0.0.1', 'pg', /hostaddr .* as the host/],
    ['postgres:///d?socket=/run/postgresql', 'pg', /socket .* host=\/folder/],
    ['postgres://h/d?service=shop', 'pg', /service .* Write out/],
    ['postgres://h/d?role=shop', 'pg', /role .* options=-c%20role=NAME/],
    ['mysql://h/d?schema=e', 'mysql2', /schema .* Put the database at the end/],
    ['mysql://h/?database=e', 'mariadb', /database .* Put the database at the end/],
    ['mysql://h/d?search_path=e', 'mariadb', /search_path .* Put the database at the end/],
    ['mysql://h/d?host=i', 'mysql2', /host .* in front of the path/],
    ['mysql://h/d?unix_socket=/run/x', 'mysql2', /unix_socket .* socket=\/path/],
  ])('is refused where it would not be heeded: %s', async (url, driver, message) => {
    await expect(open({ url, driver })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringMatching(message),
    });
  });

  test.each<[string, Driver, object | undefined]>([
    ['postgres://h/d', 'pg', {}],
    [
      'postgres://h/d?connection_limit=5&pgbouncer=true&sslmode=disable&connect_timeout=3&pool_timeout=4&application_name=x&channel_binding=require&target_session_attrs=read-write&dbname=d',
      'pg',
      {},
    ],
    ['postgres://h/d?schema=Shop', 'pg', { schema: 'Shop', home: 'Shop' }],
    ['postgres://h/d?schema=a&schema=a', 'pg', { schema: 'a', home: 'a' }],
    ['postgres://h/d?search_path=Shop%2C+b', 'pg', { searchPath: 'Shop, b', home: 'shop' }],
    ['postgres://h/d?search_path=%22A%22%22b%22,c', 'pg', { searchPath: '"A""b",c', home: 'A"b' }],
    ['postgres://h/d?search_path=$user,public', 'pg', { searchPath: '$user,public' }],
    ['postgres://h/d?currentSchema=shop-eu', 'pg', { searchPath: 'shop-eu', home: 'shop-eu' }],
    ['postgres://h/d?schema=a&search_path=b', 'pg', { schema: 'a', searchPath: 'b', home: 'a' }],
    ['mysql://h/d?schema=d&connection_limit=5&timezone=Z&sslaccept=strict', 'mysql2', undefined],
  ])('is read: %s', async (url, driver, place) => {
    expect((await open({ url, driver })).place).toEqual(place);
  });
});

describe.each(DRIVERS)('a connection of %s', (driver) => {
  const server = useServer(driver);
  const withUrl = (change: (url: URL) => void): string => {
    const url = new URL(server.db.url);
    change(url);
    return url.href;
  };

  test.each<[string, (url: URL) => void, RegExp]>([
    ['a wrong password', (url) => void (url.password = 'top-secret'), /Correct user and password of the url/],
    ['an unknown user', (url) => void (url.username = 'nobody'), /Correct (the )?user/],
    [
      'an unknown database',
      (url) => void (url.pathname = '/nope'),
      /Create the database, or correct its name/,
    ],
    ['a port where nothing listens', (url) => void (url.port = '1'), /ECONNREFUSED.* Nothing listens there/],
    [
      'an unknown host',
      (url) => void (url.hostname = 'nope.invalid'),
      /(No such host name|could not be looked up)/,
    ],
  ])('says what to do about %s', async (_, change, message) => {
    const url = withUrl(change);
    const database = await open({ url, driver });
    const error = await failureOf(database.open());
    expect(error).toMatchObject({ code: 'DATABASE_UNREACHABLE', message: expect.stringMatching(message) });
    expect(error.message).toContain(database.description);
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('top-secret');
    expect(error.message).not.toContain(new URL(server.db.url).password);
  });

  test('says so when the server does not answer', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => void sockets.push(socket.on('error', () => {})));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const url = withUrl((each) => {
      each.port = String((silent.address() as AddressInfo).port);
      each.hostname = '127.0.0.1';
      each.searchParams.set('connect_timeout', '0.2');
    });
    const error = await failureOf((await open({ url, driver })).open());
    for (const socket of sockets) socket.destroy();
    silent.close();
    expect(error).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      message: expect.stringMatching(/did not answer in time/),
    });
  });

  test('says so when the server has no TLS', async () => {
    const url = withUrl((each) =>
      each.searchParams.set(driver === 'pg' ? 'sslmode' : 'ssl', driver === 'pg' ? 'no-verify' : 'true'),
    );
    const error = await failureOf((await open({ url, driver })).open());
    expect(error.message).toMatch(/It has no TLS: take sslmode or ssl out|signed by nobody/);
  });

  test('is known to the server by its name', async () => {
    const session = await server.open();
    const names =
      driver === 'pg'
        ? await session.query(
            'SELECT application_name AS name FROM pg_stat_activity WHERE pid = pg_backend_pid()',
          )
        : [{ name: 'holdfast migrate' }];
    expect(names).toEqual([{ name: 'holdfast migrate' }]);
  });

  test('is noticed to be lost while it is idle, without an error that nobody catches', async () => {
    const proxy = await server.db.proxy();
    const session = await server.open({ url: proxy.url(server.db.url) });
    await session.query('BEGIN');
    await proxy.cut();
    while (!session.lost) await new Promise(setImmediate);
    expect(session.inTransaction).toBe(false);
    await expect(session.query('SELECT 1')).rejects.toBe(session.lost);
  });

  test('is noticed to be lost in the middle of a statement, whose outcome nobody knows', async () => {
    const proxy = await server.db.proxy();
    const session = await server.open({ url: proxy.url(server.db.url) });
    proxy.once(/SELECT 42/, { action: 'cut-after' });
    const error = await failureOf(
      session.run([
        { kind: 'statement', text: 'SELECT 42', index: 1, start: { line: 1, column: 1, offset: 0 } },
      ]),
    );
    expect(error).toMatchObject({
      code: 'STATEMENT_FAILED',
      at: 0,
      outcomeUnknown: true,
      message: expect.stringMatching(/^The connection was lost/),
    });
    expect(session.lost).toBeDefined();
  });

  test('is noticed to be ended by an administrator', async () => {
    const session = await server.open();
    await server.query(
      driver === 'pg' ? `SELECT pg_terminate_backend(${session.backendId})` : `KILL ${session.backendId}`,
    );
    while (!session.lost) await new Promise(setImmediate);
    await expect(session.query('SELECT 1')).rejects.toBe(session.lost);
  });
});

describe('the driver', () => {
  const fake = (name: string): Record<string, string> => ({
    [`node_modules/${name}/package.json`]: `{"name":"${name}","main":"index.js"}`,
    [`node_modules/${name}/index.js`]: `exports.createConnection = () => { throw new Error('this is the ${name} of the folder'); };
      exports.Client = class { constructor() { this.host = 'folder'; this.port = 1; this.connection = { stream: { destroy() {} } }; }
      on() {} connect() { return Promise.reject(new Error('this is the ${name} of the folder')); } end() { return Promise.resolve(); } };`,
  });

  test.each<[Driver, string]>([
    ['pg', 'postgres://h/d'],
    ['mysql2', 'mysql://h/d'],
    ['mariadb', 'mysql://h/d'],
  ])('%s is that of the application folder, where it has one', async (driver, url) => {
    const database = await open({ url, driver, cwd: folder({ 'package.json': '{}', ...fake(driver) }) });
    await expect(database.open()).rejects.toThrow(`this is the ${driver} of the folder`);
  });

  describe('of a MySQL url', () => {
    const server = useServer('mysql2');
    test('is the mariadb connector where that is installed', async () => {
      const session = await server.open({ driver: undefined as never });
      expect(session.driver).toBe('mariadb');
    });
  });
});
