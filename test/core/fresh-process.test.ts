import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { BuiltPackage } from './built-package.js';

/** What only a process that has loaded nothing else can show. */
const built = new BuiltPackage();
beforeAll(() => built.build(), 300_000);
afterAll(() => built.remove());

const load = (format: 'cjs' | 'esm', name: string): string => {
  const file = JSON.stringify(built.door(format, name));
  return format === 'esm' ? `await import(${file})` : `require(${file})`;
};

describe.each(['cjs', 'esm'] as const)('importing as %s', (format) => {
  test.each([
    { door: '', peers: [] },
    { door: 'typeorm', peers: ['typeorm'] },
    { door: 'nestjs', peers: ['@nestjs/common', '@nestjs/core', 'typeorm'] },
    { door: 'testing', peers: [] },
  ])(
    'holdfast/$door opens, writes and patches nothing, and the process ends by itself',
    async ({ door, peers }) => {
      const watch = readFileSync(join(__dirname, 'fixtures/watch-import.mjs'), 'utf8');
      const { stdout, stderr } = await built.run(watch, {
        type: 'module',
        installed: ['pg', 'typeorm', '@nestjs', 'reflect-metadata'],
        args: [built.door(format, door), format, ...peers],
      });

      const seen = JSON.parse(stdout) as { names: string[]; globals: string[]; files: string[] };
      expect(seen).toMatchObject({ changedPrototypes: [], listeners: [], resources: [] });
      expect(seen.names).not.toEqual([]);
      expect(seen.globals.filter((key) => !/^holdfast\.[a-z-]+\/\d+$/.test(key))).toEqual([]);
      expect(seen.files.sort()).toEqual(['main.js', 'node_modules', 'package.json']);
      // Nest 12 is ESM only: Node says so when its CommonJS loader meets it.
      expect(stderr.replace(/^\(node:\d+\) ExperimentalWarning: .*\n.*--trace-warnings.*\n/m, '')).toBe('');
    },
  );
});

describe.each(['cjs', 'esm'] as const)('@Transactional() of the %s copy', (format) => {
  test.each([
    { form: 'legacy', experimentalDecorators: true },
    { form: 'standard', experimentalDecorators: false },
  ])('as tsc compiles a $form decorator', async ({ experimentalDecorators }) => {
    const source = `
      class Orders {
        @Transactional({ propagation: 'NESTED' })
        async place(item) { return [item, this instanceof Orders, currentTransaction()?.name]; }
      }
      @Transactional()
      class Stock {
        async take() { return [currentTransaction()?.name, currentTransaction()?.depth, await new Orders().place('pen')]; }
      }
      managePool(new Pool());
      void new Stock().take().then((seen) => console.log(JSON.stringify(seen)));
    `;
    const { outputText } = ts.transpileModule(source, {
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        experimentalDecorators,
      },
    });
    const names = '{ currentTransaction, managePool, Transactional }';
    const [imports, type] =
      format === 'esm'
        ? (['import { Pool } from "pg";', 'module'] as const)
        : (['const { Pool } = require("pg");', 'commonjs'] as const);
    const script = `${imports} const ${names} = ${load(format, '')}; ${outputText}`;
    const { stdout } = await built.run(script, { type, installed: ['pg'] });

    expect(outputText).toContain(experimentalDecorators ? '__decorate(' : '__esDecorate(');
    expect(JSON.parse(stdout)).toEqual(['Stock.take', 1, ['pen', true, 'Stock.take']]);
  });
});

describe('the default logger', () => {
  const fail = (before = ''): string => `
    const { afterCommit } = ${load('cjs', '')};
    ${before}
    afterCommit(() => { throw new Error('the mail server is down'); });
  `;

  test('is the application’s pino', async () => {
    const { stdout } = await built.run(fail(), { installed: ['pino'] });
    expect(JSON.parse(stdout)).toMatchObject({
      level: 50,
      name: 'holdfast',
      moment: 'after commit',
      error: { message: 'the mail server is down' },
      msg: expect.stringContaining('a hook (after commit)'),
    });
  });

  test('is the console where the application has no pino, although the package could see one', async () => {
    const { stdout, stderr } = await built.run(fail());
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^holdfast: a hook \(after commit\) failed[^]*the mail server is down/);
  });

  test('is not even looked up when the application sets its own', async () => {
    const own = `${load('cjs', '')}.setLogger({ debug() {}, info() {}, warn() {}, error(fields, message) { console.log(message); } });`;
    const { stdout } = await built.run(fail(own), { installed: ['pino'] });
    expect(stdout).toMatch(
      /^holdfast: a hook \(after commit\) failed that ran at once, outside a transaction/,
    );
  });

  test('comes back with setLogger(undefined)', async () => {
    const reset = `
      const { setLogger } = ${load('cjs', '')};
      setLogger({ debug() {}, info() {}, warn() {}, error() {} });
      setLogger(undefined);`;
    const { stdout } = await built.run(fail(reset), { installed: ['pino'] });
    expect(stdout).toContain('"name":"holdfast"');
  });
});

describe('the ESM and the CJS copy in one process', () => {
  test('share the transaction and the pools, and know each other’s errors', async () => {
    const { stdout } = await built.run(
      `
      import { createRequire } from 'node:module';
      import pg from 'pg';
      const esm = ${load('esm', '')};
      const cjs = createRequire(import.meta.url)(${JSON.stringify(built.door('cjs', ''))});
      cjs.managePool(new pg.Pool());
      const seen = await esm.runInTransaction(async () => [
        cjs.currentTransaction()?.name,
        await cjs.runInTransaction(async () => esm.currentTransaction()?.depth, { propagation: 'NESTED' }),
      ], { name: 'begun by ESM' });
      const error = await cjs.runInTransaction(async () => {}, { propagation: 'MANDATORY' }).catch((error) => error);
      console.log(JSON.stringify([...seen, esm === cjs, error instanceof esm.PropagationError, error instanceof esm.TransactionClosedError]));
      `,
      { type: 'module', installed: ['pg'] },
    );
    expect(JSON.parse(stdout)).toEqual(['begun by ESM', 2, false, true, false]);
  });
});

test('the limit of a transaction that never ends does not hold the process open', async () => {
  const { stdout } = await built.run(
    `
    const { managePool, runInTransaction } = ${load('cjs', '')};
    managePool(new (require('pg').Pool)());
    void runInTransaction(() => new Promise(() => {}), { timeoutMs: 60_000 });
    process.on('exit', () => console.log('ended by itself'));
    `,
    { installed: ['pg'] },
  );
  expect(stdout).toBe('ended by itself\n');
});

test('the refusal of what runs on after its method ends the process where nobody catches it', async () => {
  const ended = built.run(
    `
    const { managePool, runInTransaction } = ${load('cjs', '')};
    const pool = new (require('pg').Pool)();
    managePool(pool);
    const runsOn = async () => {
      await new Promise(setImmediate);
      await pool.query('SELECT 1');
    };
    void runInTransaction(async () => void runsOn());
    `,
    { installed: ['pg'] },
  );
  await expect(ended).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('TransactionClosedError'),
  });
});
