import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { useProjects } from '../../cli/project.js';
import { startMariadb } from '../../harness/mariadb.js';
import { startPostgres } from '../../harness/postgres.js';
import { findOwner, type RunningServer } from '../../harness/private-server.js';

const project = useProjects();

/** A server whose disk has no room for what is written to the table `a`. */
interface FullServer {
  readonly url: string;
  /** What puts a table on that disk, at the end of CREATE TABLE. */
  readonly place: string;
  readonly numbers: string;
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** When the table is there. */
  fillUp(): Promise<unknown>;
  makeRoom(): Promise<unknown>;
  stop(): Promise<void>;
}

async function onPostgres(
  server: RunningServer,
): Promise<Pick<FullServer, 'url' | 'numbers' | 'query' | 'stop'>> {
  const client = new Client({ connectionString: server.url });
  await client.connect();
  return {
    url: server.url,
    numbers: '(SELECT n FROM generate_series(1, 14000) AS n)',
    query: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    stop: async () => {
      await client.end();
      await server.stop();
    },
  };
}

/** A file system of its own, in memory, under a tablespace. Who may not mount cannot have one. */
async function onSmallDisk(): Promise<FullServer> {
  const { uid = 0, gid = 0 } = findOwner(['postgres', 'nobody']);
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-disk-'));
  mount(folder, `size=8m,mode=0700,uid=${uid},gid=${gid}`);
  const server = await onPostgres(await startPostgres());
  await server.query(`CREATE TABLESPACE small LOCATION '${folder}'`);
  return {
    ...server,
    place: ' TABLESPACE small',
    fillUp: () => Promise.resolve(),
    makeRoom: async () => mount(folder, 'remount,size=64m'),
    stop: async () => {
      await server.stop();
      execFileSync('umount', [folder]);
      rmdirSync(folder);
    },
  };
}

function mount(folder: string, options: string): void {
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: 'ignore' });
}

/** Needs no right: the kernel answers what is written to that device as a disk without room does, and so does the server. */
const ALWAYS_FULL = '/dev/full';

async function onFullDevice(): Promise<FullServer> {
  if (!existsSync(ALWAYS_FULL))
    throw new Error(
      `There is no ${ALWAYS_FULL}, and nothing can be mounted: run this test on Linux, where one of them can be had.`,
    );
  const running = await startPostgres();
  const server = await onPostgres(running);
  let file = '';
  return {
    ...server,
    place: '',
    fillUp: async () => {
      const [row] = await server.query("SELECT pg_relation_filepath('a') AS path");
      file = join(running.directory, 'data', String(row!['path']));
      renameSync(file, `${file}.kept`);
      symlinkSync(ALWAYS_FULL, file);
    },
    makeRoom: async () => {
      rmSync(file);
      renameSync(`${file}.kept`, file);
    },
  };
}

/** InnoDB's own limit, of the file that all of its tables share. */
async function onSmallTablespace(): Promise<FullServer> {
  const running = await startMariadb([
    '--innodb-file-per-table=0',
    '--innodb-data-file-path=ibdata1:12M:autoextend:max:40M',
    '--innodb-autoextend-increment=1',
  ]);
  const connection = await createConnection(running.url);
  const query: FullServer['query'] = async (sql) => (await connection.query(sql))[0] as never;
  await query('CREATE DATABASE shop');
  await query('USE shop');
  return {
    url: `${running.url}/shop`,
    place: '',
    numbers: '(SELECT seq AS n FROM seq_1_to_14000)',
    query,
    fillUp: () => query("CREATE TABLE ballast AS SELECT seq, REPEAT('x', 1000) AS t FROM seq_1_to_20000"),
    makeRoom: async () => {
      await query('DROP TABLE ballast');
      // Its pages are free when the purge has come to it.
      await query('SET GLOBAL innodb_max_purge_lag_wait = 0');
    },
    stop: async () => {
      await connection.end();
      await running.stop();
    },
  };
}

function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-disk-'));
  try {
    mount(folder, 'size=1m');
    execFileSync('umount', [folder]);
    return true;
  } catch {
    return false;
  } finally {
    rmdirSync(folder);
  }
}

// The tests are as many on every machine: PostgreSQL has the disk that can be had.
const disks: readonly (readonly [string, () => Promise<FullServer>])[] = [
  canMount()
    ? ['a tmpfs of 8 MB under PostgreSQL', onSmallDisk]
    : ['a device without room under a table of PostgreSQL', onFullDevice],
  ['a tablespace of 40 MB of MariaDB', onSmallTablespace],
];

test.each(disks)(
  '%s is said to be full; nothing of the migration stays, and up goes on when there is room',
  async (_, start) => {
    const server = await start();
    try {
      const at = project({
        'migrations/V1__a.sql': `CREATE TABLE a (n INT, t VARCHAR(1000))${server.place};\nCREATE TABLE b (n INT);\n`,
        'migrations/V2__fill.sql': `INSERT INTO b VALUES (1);\nINSERT INTO a SELECT n, REPEAT('x', 1000) FROM ${server.numbers} s;\n`,
      });
      const run = (...args: string[]) => at.run(args, { env: { DATABASE_URL: server.url } });
      const rows = async (table: string): Promise<number> =>
        Number((await server.query(`SELECT COUNT(*) AS n FROM ${table}`))[0]!['n']);
      expect(await run('up', '--to', '1')).toMatchObject({ exitCode: 0 });
      await server.fillUp();

      const full = {
        exitCode: 1,
        stderr: expect.stringMatching(
          /V2__fill\.sql:2:1: .*\[(?:53100|1114)\].*Make room on the disk of the database server[^]*It was rolled back: the database is as before it[^]*the file may stay as it is/,
        ),
      };
      expect(await run('up')).toMatchObject(full);
      expect(await run('status')).toMatchObject({ exitCode: 2 });
      expect(await rows('b')).toBe(0);
      expect(await run('up')).toMatchObject(full);

      await server.makeRoom();
      expect(await run('up')).toMatchObject({ exitCode: 0 });
      expect([await rows('a'), await rows('b')]).toEqual([14_000, 1]);
    } finally {
      await server.stop();
    }
  },
);
