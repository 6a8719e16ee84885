import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { managePool, runInTransaction, Transactional } from 'holdfast';
import { MIGRATION_STATES, readMigratorOptions } from 'holdfast/migrations';
import { rollbackPerTest } from 'holdfast/testing';
import { manageDataSource } from 'holdfast/typeorm';
import { COMMANDS } from '../../src/cli/commands/index.js';
import { EXIT_CODES } from '../../src/cli/exit-codes.js';
import { programOf } from '../../src/cli/program.js';
import { PLACEHOLDER_PREFIX, SETTINGS } from '../../src/cli/settings/settings-table.js';
import { terminalOf } from '../../src/cli/terminal.js';
import { readAlertOptions } from '../../src/pool-monitor/alerts/index.js';
import { useDatabase } from '../harness/database.js';
import {
  decide,
  type Propagation,
  type PropagationAction,
  PROPAGATIONS,
} from '../../src/transaction/propagation.js';
import { allBlocks, blocksOf, documents, readDocument, root, tableBelow } from './markdown.js';

const db = useDatabase();
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>;
};

describe.each(documents())('%s', (file) => {
  test('has only blocks of a language that is tested, or plain text', () => {
    const languages = blocksOf(file).map(({ language }) => language);

    expect(languages.filter((language) => !['ts', 'sh', 'sql', 'text'].includes(language))).toEqual([]);
  });

  test('links to files and headings that exist', () => {
    const links = [...readDocument(file).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map((match) => match[1]!);

    expect(links.filter((link) => !leadsSomewhere(file, link))).toEqual([]);
  });
});

const commands = allBlocks('sh').flatMap(({ file, code }) =>
  code
    .split(/\n|&&/)
    .map((command) => command.replace(/#.*/, '').trim())
    .filter((command) => command !== '')
    .map((command) => ({ file, command })),
);

const OWN = /^npx (?:migrate|holdfast) /;

test.each(commands.filter(({ command }) => !OWN.test(command)))(
  '$file: "$command" is a command of this repository',
  ({ command }) => {
    expect(isCommand(command)).toBe(true);
  },
);

test.each(commands.filter(({ command }) => OWN.test(command)))(
  '$file: "$command" is a command that the program takes',
  async ({ command }) => {
    const words = command.match(/"[^"]*"|\S+/g)!.map((word) => word.replaceAll('"', ''));
    const act = jest.fn(() => Promise.resolve());
    const terminal = terminalOf({ ...process, cwd: root });
    const program = programOf({ name: words[1]! }, { terminal, act });
    await program.parseAsync(words.slice(2), { from: 'user' });

    expect(act).toHaveBeenCalledTimes(1);
  },
);

const statements = allBlocks('sql').map(({ file, line, code }) => ({ place: `${file}:${line}`, code }));

test.each(statements)('$place is SQL that the server takes', async ({ code }) => {
  await expect(db.query(code)).resolves.toBeDefined();
});

/** The names that an options object may have, as its own refusal of another one lists them. */
function knownOptions(refuse: () => unknown): string[] {
  try {
    refuse();
  } catch (error) {
    return /Known options: (.+)\.$/.exec((error as Error).message)![1]!.split(', ');
  }
  throw new Error('an unknown option was accepted');
}

const unknown = { '?': true } as object;
const optionTables = [
  ['README.md', 'Options', () => Transactional(unknown)],
  ['docs/transactions.md', 'Options', () => Transactional(unknown)],
  ['docs/transactions.md', 'Retry', () => Transactional({ retry: unknown })],
  ['docs/raw-pg.md', 'Raw pg', () => managePool(db.pool(), unknown)],
  ['docs/mysql.md', 'Options of managePool', () => managePool(db.pool(), unknown)],
  ['docs/testing.md', 'Options', () => rollbackPerTest(unknown)],
  ['docs/typeorm.md', 'TypeORM', () => manageDataSource({} as never, unknown)],
  ['docs/migrations.md', 'Options', () => readMigratorOptions(unknown)],
  ['docs/pool-monitor/alerts.md', 'Options', () => readAlertOptions(unknown)],
] as const;

test.each(optionTables)('%s, %s: the table has every option and no other', (file, heading, refuse) => {
  const table = tableBelow(file, heading).map(([name]) => name);

  expect(table.slice(0, knownOptions(refuse).length)).toEqual(knownOptions(refuse));
});

const plain = (text: string): string => text.replaceAll('`', '');

test.each<[string, readonly (readonly string[])[]]>([
  ['Exit codes', Object.entries(EXIT_CODES).map(([code, meaning]) => [code, plain(meaning)])],
  ['States', Object.entries(MIGRATION_STATES).map(([state, meaning]) => [state, plain(meaning)])],
  [
    'Settings',
    SETTINGS.map(({ path, flag, env, summary }) => [
      path,
      flag,
      env.length > 0 ? env.join(', ') : `${PLACEHOLDER_PREFIX}<name>`,
      summary,
    ]),
  ],
])('docs/migrations.md, %s: the table is the one in src', (heading, expected) => {
  expect(tableBelow('docs/migrations.md', heading)).toEqual(expected);
});

test('docs/migrations.md: every command has its page, and no other', () => {
  const pages = tableBelow('docs/migrations.md', 'Commands').map(
    ([link]) => /migrations\/(\w+)\.md/.exec(link!)![1]!,
  );

  // Of another room: docs/pool-monitor/views.md.
  const commands = COMMANDS.filter(({ name }) => name !== 'pool');
  expect(pages.sort()).toEqual(commands.map(({ name }) => name).sort());
  expect(readdirSync(join(root, 'docs/migrations')).sort()).toEqual(pages.map((name) => `${name}.md`));
});

const words: Readonly<Record<PropagationAction, RegExp>> = {
  begin: /^begins/,
  join: /^joins it/,
  nest: /^a savepoint in it/,
  plain: /^runs without/,
  outside: /^runs outside it/,
  refuse: /^PropagationError/,
  'refuse closed': /^TransactionClosedError/,
};

test.each(['README.md', 'docs/transactions.md'])('%s: the propagation table is the one in src', (file) => {
  const table = tableBelow(file, 'Propagation');

  expect(table.map(([mode]) => mode)).toEqual([...PROPAGATIONS]);
  for (const [mode, outside, inside] of table) {
    expect(outside).toMatch(words[decide(mode as Propagation, 'none')]);
    expect(inside).toMatch(words[decide(mode as Propagation, 'active')]);
  }
});

describe('the guarantees', () => {
  const rows = tableBelow('docs/guarantees.md', 'Guarantees').filter(([number]) => /^\d+$/.test(number!));
  const testFiles = readdirSync(join(root, 'test/conformance')).filter((name) => name.startsWith('row-'));
  const numbersOf = (name: string): number[] =>
    /^row((?:-\d\d)+)-/.exec(name)![1]!.split('-').slice(1).map(Number);

  test('count all rows of the matrix', () => {
    expect(rows.map(([number]) => Number(number))).toEqual(Array.from({ length: 26 }, (_, n) => n + 1));
  });

  test.each(rows)('row %s names its test', (number, ...[, , link]) => {
    const files = testFiles.filter((file) => numbersOf(file).includes(Number(number)));

    expect(files.filter((file) => link!.includes(file))).toEqual(files);
    expect(files).not.toEqual([]);
  });

  test('are the same in the README', () => {
    const inReadme = tableBelow('README.md', 'Guarantees');

    expect(inReadme).toEqual(rows.map((row) => row.slice(0, 3)));
  });
});

test('runInTransaction refuses what the tables do not list', async () => {
  await expect(runInTransaction(async () => undefined, unknown)).rejects.toMatchObject({
    code: 'INVALID_OPTIONS',
  });
});

function isCommand(command: string): boolean {
  const [program, verb, name] = command.split(/\s+/);
  if (program === 'npm' && verb === 'run') return name! in scripts;
  if (program === 'npm' && verb === 'test') return 'test' in scripts;
  if (program === 'npm') return ['ci', 'pack', 'install'].includes(verb!);
  if (program === 'npx') return verb === 'jest' && existsSync(join(root, name!));
  return false;
}

function leadsSomewhere(from: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? from : join(dirname(from), path);
  if (!existsSync(join(root, target))) return false;
  if (anchor === undefined) return true;
  const headings = [...readDocument(target).matchAll(/^#+ (.+)$/gm)].map((match) => match[1]!);
  return headings.map(anchorOf).includes(anchor);
}

/** GitHub's rule. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}
