import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(__dirname, '../..');
const oxlint = join(root, 'node_modules/oxlint/bin/oxlint');

interface Diagnostic {
  code: string;
  help?: string;
}

/** Lints the given files in an empty folder that has nothing but this repository's lint configuration. */
function lint(files: Record<string, string>): { exitCode: number | null; diagnostics: Diagnostic[] } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-lint-'));
  try {
    copyFileSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    const { status, stdout } = spawnSync(process.execPath, [oxlint, '--format=json', 'src'], {
      cwd: folder,
      encoding: 'utf8',
    });
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: Diagnostic[] };
    return { exitCode: status, diagnostics };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const importing = (specifier: string): string => `export { thing } from '${specifier}';\n`;
const importingType = (specifier: string): string =>
  `import type { Thing } from '${specifier}';\nexport type Alias = Thing;\n`;

describe('an import that breaks the layers is an error', () => {
  test.each([
    ['src/index.ts', 'pg', 'The main door names no package'],
    ['src/index.ts', './typeorm/index.js', 'The main door opens core, connection and transaction only'],
    ['src/core/file.ts', 'pg', 'core imports node:* only'],
    ['src/core/file.ts', '@nestjs/common', 'core imports node:* only'],
    ['src/core/file.ts', '../connection/index.js', 'core imports node:* only'],
    ['src/core/deep/er/file.ts', '../../../transaction/index.js', 'core imports node:* only'],
    ['src/connection/file.ts', 'pg', 'connection imports node:* and core only'],
    ['src/connection/file.ts', '../transaction/index.js', 'connection imports node:* and core only'],
    ['src/connection/drivers/pg/file.ts', 'pg', 'the types of pg only'],
    ['src/connection/drivers/pg/file.ts', 'typeorm', 'the types of pg only'],
    ['src/connection/drivers/pg/file.ts', '../../../pool-monitor/index.js', 'core only'],
    ['src/connection/drivers/mysql2/file.ts', 'pg', 'connection imports node:* and core only'],
    ['src/transaction/file.ts', 'typeorm', 'transaction imports node:*, core and connection only'],
    ['src/transaction/file.ts', '../migrations/index.js', 'transaction imports core and connection only'],
    ['src/transaction/file.ts', '../typeorm/index.js', 'transaction imports core and connection only'],
    ['src/migrations/file.ts', 'pg', 'migrations imports node:*, core and connection only'],
    ['src/migrations/file.ts', '../transaction/index.js', 'migrations imports core and connection only'],
    ['src/migrations/file.ts', '../cli/program.js', 'migrations imports core and connection only'],
    ['src/migrations/database/file.ts', 'umzug', 'the types of the drivers only'],
    ['src/migrations/runner/file.ts', 'pg', 'no package but umzug'],
    ['src/cli/file.ts', 'pg', 'cli names no package but commander, jiti, cli-progress and picocolors'],
    ['src/cli/commands/file.ts', '../../migrations/errors.js', 'cli imports only the doors'],
    ['src/cli/file.ts', '../nestjs/index.js', 'the doors of core, migrations and pool-monitor only'],
    ['src/migrations/file.ts', '../pool-monitor/index.js', 'migrations imports core and connection only'],
    ['src/pool-monitor/file.ts', 'pino', 'pool-monitor imports node:*, core and connection only'],
    ['src/pool-monitor/file.ts', '../transaction/index.js', 'pool-monitor imports core and connection only'],
    ['src/pool-monitor/file.ts', '../migrations/index.js', 'pool-monitor imports core and connection only'],
    ['src/pool-monitor/alerts/sinks/file.ts', '@slack/web-api', 'node:*, core and connection only'],
    ['src/pool-monitor/alerts/sinks/slack-client.ts', '@slack/webhook', 'the types of @slack/web-api'],
    ['src/typeorm/file.ts', 'pg', 'typeorm names no package but typeorm'],
    ['src/typeorm/file.ts', '@nestjs/typeorm', 'typeorm names no package but typeorm'],
    ['src/typeorm/file.ts', '../nestjs/index.js', 'typeorm imports core, connection and transaction only'],
    ['src/typeorm/file.ts', '../prisma/index.js', 'typeorm imports core, connection and transaction only'],
    [
      'src/typeorm/file.ts',
      '../typeorm-transactional/index.js',
      'typeorm imports core, connection and transaction only',
    ],
    [
      'src/transaction/file.ts',
      '../typeorm-transactional/index.js',
      'transaction imports core and connection only',
    ],
    [
      'src/index.ts',
      './typeorm-transactional/index.js',
      'The main door opens core, connection and transaction',
    ],
    ['src/typeorm-transactional/file.ts', 'cls-hooked', 'names no package but the types of typeorm'],
    [
      'src/typeorm-transactional/file.ts',
      'typeorm-transactional',
      'names no package but the types of typeorm',
    ],
    ['src/typeorm-transactional/file.ts', '../nestjs/index.js', 'imports the doors of core, connection'],
    ['src/typeorm-transactional/file.ts', '../transaction/runner.js', 'imports only the doors'],
    ['src/typeorm-transactional/file.ts', '../typeorm/manage-data-source.js', 'imports only the doors'],
    ['src/prisma/file.ts', 'typeorm', 'prisma names no package but @prisma/*'],
    ['src/prisma/file.ts', '../typeorm/index.js', 'prisma imports core, connection and transaction only'],
    ['src/nestjs/file.ts', 'typeorm', 'nestjs names no package but @nestjs/*'],
    ['src/nestjs/file.ts', '../transaction/engine.js', 'nestjs imports only the doors'],
    ['src/nestjs/file.ts', '../connection/drivers/pg/index.js', 'nestjs imports only the doors'],
    ['src/nestjs/deep/file.ts', '../../typeorm/engine.js', 'nestjs imports only the doors'],
    ['src/nestjs/file.ts', '../testing/index.js', 'nestjs does not import testing'],
    ['src/testing/file.ts', 'jest', 'testing names no package'],
    ['src/testing/file.ts', '../connection/lease.js', 'testing imports only the doors'],
    ['src/testing/file.ts', '../nestjs/index.js', 'testing does not import nestjs'],
  ])('%s -> %s', (file, specifier, message) => {
    const contents = file.includes('drivers/pg') ? [importing(specifier)] : both(specifier);
    const { exitCode, diagnostics } = lint({ [file]: contents.join('') });

    const found = diagnostics.filter(({ code }) => code === 'eslint(no-restricted-imports)');
    expect(found).toEqual(
      contents.map(() => expect.objectContaining({ help: expect.stringContaining(message) })),
    );
    expect(exitCode).toBe(1);
  });
});

test('typeorm-transactional takes the types of typeorm, and no value', () => {
  const { diagnostics } = lint({ 'src/typeorm-transactional/file.ts': importing('typeorm') });

  expect(diagnostics.map(({ help }) => help).join('\n')).toContain('imports the types of typeorm only');
});

test('the client of the Slack bot takes the types of @slack/web-api, and no value', () => {
  const file = 'src/pool-monitor/alerts/sinks/slack-client.ts';
  const { diagnostics } = lint({ [file]: importing('@slack/web-api') });

  expect(diagnostics.map(({ help }) => help).join('\n')).toContain('the types of @slack/web-api only');
  expect(lint({ [file]: importingType('@slack/web-api') }).diagnostics).toEqual([]);
});

function both(specifier: string): string[] {
  return [importing(specifier), importingType(specifier)];
}

test('the imports that the layers allow pass', () => {
  const { exitCode, diagnostics } = lint({
    'src/index.ts': importing('./transaction/index.js'),
    'src/core/file.ts': importing('node:fs/promises'),
    'src/core/deep/file.ts': importing('../file.js'),
    'src/connection/file.ts': importing('../core/index.js'),
    'src/connection/drivers/pg/file.ts': importingType('pg') + importing('../../../core/index.js'),
    'src/transaction/file.ts': importing('../connection/index.js') + importing('./own.js'),
    'src/migrations/file.ts': importing('../connection/index.js'),
    'src/pool-monitor/file.ts': importing('../core/index.js'),
    'src/migrations/runner/file.ts': importing('umzug') + importing('../../core/index.js'),
    'src/migrations/database/file.ts': importingType('pg') + importing('../own.js'),
    'src/cli/file.ts': importing('commander') + importing('../migrations/index.js'),
    'src/cli/commands/file.ts': importing('../output/own.js') + importing('../../core/index.js'),
    'src/typeorm/file.ts': importing('typeorm') + importing('../transaction/index.js'),
    'src/typeorm-transactional/file.ts':
      importingType('typeorm') + importing('../typeorm/index.js') + importing('./own.js'),
    'src/prisma/file.ts': importing('@prisma/client') + importing('../transaction/index.js'),
    'src/nestjs/file.ts':
      importing('@nestjs/common') + importing('../typeorm/index.js') + importing('./own.js'),
    'src/nestjs/deep/file.ts': importing('../own.js') + importing('../../core/index.js'),
    'src/testing/file.ts': importing('../index.js') + importing('../connection/index.js'),
  });

  expect(diagnostics).toEqual([]);
  expect(exitCode).toBe(0);
});

describe('a house rule that the linter can see is an error', () => {
  test.each<[string, Record<string, string>]>([
    [
      'import(no-cycle)',
      {
        'src/core/a.ts': `import { b } from './b.js';\nexport const a = () => b;\n`,
        'src/core/b.ts': `import { a } from './a.js';\nexport const b = () => a;\n`,
      },
    ],
    ['import(no-default-export)', { 'src/core/a.ts': 'export default 1;\n' }],
    ['typescript(no-explicit-any)', { 'src/core/a.ts': 'export type A = any;\n' }],
    ['eslint(max-lines)', { 'src/core/a.ts': '// one more line\n'.repeat(401) + 'export const a = 1;\n' }],
    [
      'eslint(max-params)',
      {
        'src/core/a.ts':
          'export const f = (...[a]: [1]) => a;\nexport function g(a: 1, b: 2, c: 3, d: 4) {\n  return [a, b, c, d];\n}\n',
      },
    ],
    ['unicorn(filename-case)', { 'src/core/camelCase.ts': 'export const a = 1;\n' }],
  ])('%s', (code, files) => {
    const { exitCode, diagnostics } = lint(files);

    expect(diagnostics.map((diagnostic) => diagnostic.code)).toContain(code);
    expect(exitCode).toBe(1);
  });
});
