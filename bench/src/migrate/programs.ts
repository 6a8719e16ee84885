import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Job, Layout } from './jobs.js';
import { writeFiles } from './jobs.js';

export type DatabaseKind = 'postgres' | 'mysql';

/** A command, ready to be started on an empty database. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A file that it reads from its standard input. */
  readonly input?: string;
  readonly cwd: string;
}

export interface Program {
  readonly title: string;
  readonly database: DatabaseKind;
  readonly jobs: readonly string[];
  readonly layout: Layout;
  prepare(place: Place): Command;
}

export interface Place {
  readonly folder: string;
  readonly files: readonly string[];
  readonly url: string;
  readonly job: Job;
}

const bench = join(process.cwd(), 'bench');
const installed = (path: string): string => join(bench, 'node_modules', path);
const plain: Layout = { fileName: (number, name) => `${String(number).padStart(4, '0')}_${name}.sql` };
const flyway: Layout = { fileName: (number, name) => `V${number}__${name}.sql` };
export const DBMATE = installed(`@dbmate/${process.platform}-${process.arch}/bin/dbmate`);
const ANY = ['small', 'inserts-50000'];

/** The database's own client: one process that reads the files, each in a transaction. */
const psql: Program = {
  title: 'psql',
  database: 'postgres',
  jobs: ANY,
  layout: plain,
  prepare: ({ url, files, folder }) => ({
    file: 'psql',
    args: [
      '-X',
      '-q',
      '-v',
      'ON_ERROR_STOP=1',
      ...files.flatMap((file) => ['-c', 'BEGIN', '-f', file, '-c', 'COMMIT']),
      url,
    ],
    cwd: folder,
  }),
};

const mariadbClient: Program = {
  title: 'mariadb client',
  database: 'mysql',
  jobs: ANY,
  layout: plain,
  prepare({ url, files, folder }) {
    const { hostname, port, username, password, pathname } = new URL(url);
    const input = join(folder, 'all.txt');
    const each = files.map((file) => `START TRANSACTION;\nsource ${file}\nCOMMIT;\n`);
    writeFileSync(input, each.join(''));
    return {
      file: 'mariadb',
      args: ['--no-defaults', '-h', hostname, '-P', port, '-u', username, pathname.slice(1)],
      env: { MYSQL_PWD: decodeURIComponent(password) },
      input,
      cwd: folder,
    };
  },
};

function holdfast(database: DatabaseKind, driver: 'pg' | 'mysql2' | 'mariadb'): Program {
  return {
    title: `holdfast (${driver})`,
    database,
    jobs: [...ANY, 'large-20', 'large-200'],
    layout: flyway,
    prepare: ({ url, folder }) => holdfastCommand(['up'], { folder, url, driver }),
  };
}

export function holdfastCommand(
  args: readonly string[],
  { folder, url, driver }: { folder: string; url: string; driver: string },
): Command {
  return {
    file: process.execPath,
    args: [installed('holdfast/dist/cjs/cli/main.js'), ...args, '--directory', folder, '--driver', driver],
    env: { DATABASE_URL: url },
    cwd: bench,
  };
}

function umzug(database: DatabaseKind, driver: 'pg' | 'mysql2'): Program {
  return {
    title: `umzug + ${driver}`,
    database,
    jobs: ANY,
    layout: plain,
    prepare: ({ url, folder }) => ({
      file: process.execPath,
      args: [join(bench, 'dist/bench/src/migrate/umzug-runner.js'), driver, folder],
      env: { DATABASE_URL: url },
      cwd: bench,
    }),
  };
}

/** Not a peer: what Node and the driver take by themselves. */
function bare(database: DatabaseKind, driver: 'pg' | 'mysql2', journal?: 'journal'): Program {
  return {
    title: `${driver} alone${journal ? ', journaled' : ''}`,
    database,
    jobs: ['small'],
    layout: plain,
    prepare: ({ url, folder }) => ({
      file: process.execPath,
      args: [
        join(bench, 'dist/bench/src/migrate/bare-runner.js'),
        driver,
        folder,
        ...(journal ? [journal] : []),
      ],
      env: { DATABASE_URL: url },
      cwd: bench,
    }),
  };
}

const nodePgMigrate: Program = {
  title: 'node-pg-migrate',
  database: 'postgres',
  jobs: ANY,
  layout: { ...plain, before: '-- Up Migration' },
  prepare: ({ url, folder }) => ({
    file: process.execPath,
    args: [installed('node-pg-migrate/bin/node-pg-migrate.js'), 'up', '-m', folder, '--no-verbose'],
    env: { DATABASE_URL: url },
    cwd: bench,
  }),
};

function dbmate(database: DatabaseKind): Program {
  return {
    title: 'dbmate',
    database,
    jobs: ANY,
    layout: {
      fileName: (number, name) => `${20260101000000 + number}_${name}.sql`,
      before: '-- migrate:up',
      after: '-- migrate:down',
    },
    prepare: ({ url, folder }) => ({
      file: DBMATE,
      args: ['-d', folder, '--no-dump-schema', '--wait-timeout', '5s', 'migrate'],
      env: { DATABASE_URL: database === 'postgres' ? `${url}?sslmode=disable` : url },
      cwd: folder,
    }),
  };
}

/** By database, the floor first: the others' times are divided by its. */
export const PROGRAMS: readonly Program[] = [
  psql,
  holdfast('postgres', 'pg'),
  umzug('postgres', 'pg'),
  nodePgMigrate,
  dbmate('postgres'),
  bare('postgres', 'pg'),
  mariadbClient,
  holdfast('mysql', 'mariadb'),
  holdfast('mysql', 'mysql2'),
  umzug('mysql', 'mysql2'),
  dbmate('mysql'),
  bare('mysql', 'mysql2'),
  bare('mysql', 'mysql2', 'journal'),
];

/** Writes the files that the program reads. */
export async function filesOf(program: Program, job: Job, folder: string): Promise<readonly string[]> {
  return writeFiles(folder, job, program.layout);
}
