import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';

/** What a program is given: the same SQL for all of them, under the names that each of them reads. */
export interface Job {
  readonly name: string;
  readonly title: string;
  /** Rows that the database holds afterwards, table -> rows: a program that skips work has no time. */
  readonly rows: Readonly<Record<string, number>>;
  /** The SQL files in order, without any program's own marks. */
  scripts(): Iterable<Script>;
}

export interface Script {
  readonly name: string;
  lines(): Iterable<string>;
}

const SMALL_FILES = 500;

export const smallFiles: Job = {
  name: 'small',
  title: `${SMALL_FILES} files: a table and two rows each`,
  rows: { t1: 2, [`t${SMALL_FILES}`]: 2 },
  *scripts() {
    for (let n = 1; n <= SMALL_FILES; n++) {
      yield {
        name: `create_t${n}`,
        lines: () => [
          `CREATE TABLE t${n} (id int PRIMARY KEY, name varchar(40) NOT NULL);`,
          `INSERT INTO t${n} (id, name) VALUES (1, 'first of ${n}');`,
          `INSERT INTO t${n} (id, name) VALUES (2, 'second of ${n}');`,
        ],
      };
    }
  },
};

export function oneFile(inserts: number): Job {
  return {
    name: `inserts-${inserts}`,
    title: `one file of ${inserts.toLocaleString('en')} INSERTs`,
    rows: { item: inserts },
    *scripts() {
      yield {
        name: 'create_item',
        lines: () => [
          'CREATE TABLE item (id int PRIMARY KEY, name varchar(80) NOT NULL, amount int NOT NULL);',
        ],
      };
      yield {
        name: 'fill_item',
        *lines() {
          for (let n = 1; n <= inserts; n++)
            yield `INSERT INTO item (id, name, amount) VALUES (${n}, 'item number ${n}, it''s a plain one', ${n % 97});`;
        },
      };
    },
  };
}

/** One file of that many bytes, a row of about 1 kB each. */
export function largeFile(bytes: number): Job {
  const filler = 'x'.repeat(940);
  const rows = Math.floor(bytes / 1000);
  return {
    name: `large-${Math.round(bytes / 1e6)}`,
    title: `one file of ${Math.round(bytes / 1e6)} MB`,
    rows: { large: rows },
    *scripts() {
      yield {
        name: 'create_large',
        lines: () => ['CREATE TABLE large (id int PRIMARY KEY, body text NOT NULL);'],
      };
      yield {
        name: 'fill_large',
        *lines() {
          for (let n = 1; n <= rows; n++) yield `INSERT INTO large (id, body) VALUES (${n}, '${filler}');`;
        },
      };
    },
  };
}

/** How a program wants its files: their names, and what stands around the SQL. */
export interface Layout {
  readonly fileName: (number: number, name: string) => string;
  readonly before?: string;
  readonly after?: string;
}

/** Writes the files of a job. Resolves to their paths, in order. */
export async function writeFiles(folder: string, job: Job, layout: Layout): Promise<string[]> {
  await mkdir(folder, { recursive: true });
  const paths: string[] = [];
  for (const script of job.scripts()) {
    const path = join(folder, layout.fileName(paths.length + 1, script.name));
    paths.push(path);
    const lines = script.lines();
    if (Array.isArray(lines)) {
      await writeFile(path, `${[layout.before, ...lines, layout.after].filter(Boolean).join('\n')}\n`);
      continue;
    }
    const out = createWriteStream(path);
    if (layout.before) out.write(`${layout.before}\n`);
    for (const line of lines) if (!out.write(`${line}\n`)) await once(out, 'drain');
    if (layout.after) out.write(`${layout.after}\n`);
    out.end();
    await once(out, 'close');
  }
  return paths;
}
