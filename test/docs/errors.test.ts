import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as main from 'holdfast';
import * as migrations from 'holdfast/migrations';
import * as poolMonitor from 'holdfast/pool-monitor';
import * as prisma from 'holdfast/prisma';
import * as testing from 'holdfast/testing';
import * as typeorm from 'holdfast/typeorm';
import * as dropIn from 'holdfast/typeorm-transactional';
import { setLogger } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { blocksOf, root, sectionOf, tableBelow } from './markdown.js';
import { provocations } from './provocations.js';
import { docsSchema } from './schema.js';

const file = 'docs/errors.md';
const db = useDatabase({ schema: docsSchema });
const mariadb = useMysqlDatabase([]);
const silent = (): void => undefined;

beforeAll(() => setLogger({ debug: silent, info: silent, warn: silent, error: silent }));

/** The error classes that a door exports, read in its source: Nest cannot be loaded in this suite. */
function exportedErrors(): string[] {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { exports: object };
  const doors = Object.keys(exports)
    .filter((door) => door !== './package.json')
    .map((door) => readFileSync(join(root, 'src', door, 'index.ts'), 'utf8'));
  return [...new Set(doors.flatMap((source) => source.match(/\b[A-Z]\w+Error\b/g) ?? []))];
}

const classes = {
  ...main,
  ...migrations,
  ...poolMonitor,
  ...prisma,
  ...testing,
  ...typeorm,
  ...dropIn,
} as unknown as Record<string, { readonly code: string }>;

test('every error that a door exports is described, and nothing else', () => {
  const expected = exportedErrors().filter((name) => name !== 'HoldfastError');
  const table = tableBelow(file, 'Errors').map(([code, link]) => ({ code, name: /\w+/.exec(link!)![0] }));

  expect(table.map(({ name }) => name).sort()).toEqual([...expected].sort());
  expect(table).toEqual(table.map(({ name }) => ({ name, code: classes[name]!.code })));
});

describe.each(tableBelow(file, 'Errors'))('%s', (code, link, retryable) => {
  const name = /\w+/.exec(link!)![0];

  test('comes about as described, with the message, the code and `retryable` as printed', async () => {
    const provoke = provocations[name];
    const message = blocksOf(file).find(
      ({ language, line }) => language === 'text' && lineIsIn(line, name),
    )?.code;

    const error: unknown = await Promise.resolve()
      .then(() => provoke?.(db, mariadb))
      .catch((thrown: unknown) => thrown);

    expect(error).toMatchObject({ name, code, retryable: retryable === 'yes' });
    expect(anyNumber((error as Error).message)).toBe(anyNumber(message!.trim()));
  });

  test('says when, and what to do', () => {
    expect(sectionOf(file, name)).toMatch(
      new RegExp(
        `^\\nCode \`${code}\`, retryable: ${retryable}, exported by [^]*- When: .+[^]*- What to do: .+`,
      ),
    );
  });
});

function lineIsIn(line: number, heading: string): boolean {
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  const start = lines.indexOf(`### ${heading}`);
  const end = lines.findIndex((text, index) => index > start && /^#{2,3} /.test(text));
  return line > start && (end === -1 || line <= end);
}

/** Processes, transactions, machines, folders and days differ from run to run. */
function anyNumber(message: string): string {
  return message
    .replaceAll(/(?<=provocations\.ts:)\d+/g, 'N')
    .replaceAll(/(pid |process |session |pg_xact_status\(')\d+/g, '$1N')
    .replaceAll(/\/\S+\/(?=V\d)/g, 'FOLDER/')
    .replaceAll(/host [\w.-]+/g, 'host H')
    .replaceAll(/(provocations\.ts:)\d+/g, '$1N')
    .replaceAll(/\d{4}-\d\d-\d\d(?:T[\d:.]+Z)?/g, 'DAY');
}
