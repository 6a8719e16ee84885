import type { Fault } from '../../harness/faults.js';
import type { FaultProxy } from '../../harness/fault-proxy.js';
import type { MigratorOptions } from '../../../src/migrations/index.js';
import { useChildProgram } from './child-program.js';
import { type Engine, useWorkspace } from './workspace.js';

/** Matches the statement of that number: counted from the first that matches `from`, or of those that match `only`. */
class Nth extends RegExp {
  #seen = 0;
  readonly #number: number;
  readonly #counted: Counted;

  constructor(number: number, counted: Counted) {
    super('');
    this.#number = number;
    this.#counted = counted;
  }

  override [Symbol.search](text: string): number {
    const { from, only } = this.#counted;
    const counts = only ? only.test(text) : this.#seen > 0 || from!.test(text);
    if (counts) this.#seen++;
    return counts && this.#seen === this.#number ? 0 : -1;
  }
}

interface Counted {
  readonly from?: RegExp;
  readonly only?: RegExp;
}

export const FROM_THE_LOCK_ON = /pg_try_advisory_lock|GET_LOCK/;
/** What comes before is the same in every case. */
export const FROM_THE_JOURNAL_ON = /CREATE TABLE \S*holdfast_migration_journal/;
/** The statements of the file itself, wherever they are in a packet. */
const OF_THE_FILE =
  /(?:^|\n)(?:CREATE TABLE [acd]\w? |CREATE INDEX|INSERT INTO [ad] |ALTER TABLE [ac]|UPDATE a|RENAME)/;

const TEN = `
  CREATE TABLE a (id INT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n INT);
  INSERT INTO a (n) VALUES (1);
  ALTER TABLE a ADD COLUMN b INT;
  UPDATE a SET n = n + 1;
  CREATE INDEX a_n ON a (n);
  INSERT INTO a (n, b) SELECT n, 5 FROM a;
  CREATE TABLE c (id INT PRIMARY KEY);
  ALTER TABLE a DROP COLUMN b;
  ALTER TABLE c RENAME TO d;
  INSERT INTO d VALUES (1);`;

const AFTER = { 'V2__after.sql': 'INSERT INTO d VALUES (2)' };

export const IN_ONE_TRANSACTION = { 'V1__ten.sql': TEN, ...AFTER };

export const WITH_ONE_ALONE = {
  'V1__ten.sql': TEN.replace('CREATE INDEX', 'CREATE INDEX CONCURRENTLY'),
  ...AFTER,
};

export const EACH_ALONE = { 'V1__ten.sql': `-- no-transaction${TEN}`, ...AFTER };

export const ON_MARIADB = {
  'V1__ten.sql': TEN.replace('GENERATED ALWAYS AS IDENTITY', 'AUTO_INCREMENT').replace(
    'ALTER TABLE c RENAME TO d',
    'RENAME TABLE c TO d',
  ),
  ...AFTER,
};

/** Small files that are sent whole, each behind the one before it. */
export const SMALL_ONES = {
  'V1__a.sql':
    'CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, n INT, KEY a_n (n));\nINSERT INTO a (n) VALUES (1 + 1);',
  'V2__c.sql': 'CREATE TABLE c (n INT);\nINSERT INTO a (n) VALUES (1 + 1);',
  'V3__d.sql': 'CREATE TABLE d (id INT PRIMARY KEY);\nINSERT INTO d VALUES (1);',
  'V4__ce.sql': 'CREATE TABLE ce (n INT);\nCREATE TABLE cf (n INT);\nINSERT INTO ce VALUES (1);',
  'V5__after.sql': 'INSERT INTO d VALUES (2)',
};

const faults = [
  ['before the server has it', { action: 'cut-before' }],
  ['after the server has run it, before its answer', { action: 'cut-after' }],
] as const satisfies readonly (readonly [string, Fault])[];

export interface CrashGrid {
  /** The last one is the only one with VALUES (2). */
  readonly files: Readonly<Record<string, string>>;
  /** What else is created than by the file of ten statements. */
  readonly moreTables?: readonly string[];
  /** Lost connections are counted from the first statement that matches. */
  readonly first: RegExp;
  /** Points at which it has to crash, so that a pattern that matches nothing is met. */
  readonly atLeast: { readonly kills: number; readonly losses: number };
}

/** Crashes at each point of one kind of file on one database. A test file for each: they are long, and workers share files. */
export function testCrashes(
  engine: Engine,
  { files: scripts, moreTables = [], first, atLeast }: CrashGrid,
): void {
  const files = useWorkspace(engine);
  const program = useChildProgram();
  const options = (url: string): MigratorOptions => ({
    url,
    driver: engine.driver,
    directories: ['.'],
    cwd: files.folder,
  });

  /** Crashes at one point after the other until a run comes through, and looks at what the next `up` makes of it. */
  const crashEverywhere = async (
    crash: (number: number, proxy: FaultProxy) => Promise<string | undefined>,
  ): Promise<number> => {
    files.write(scripts);
    const tables = [...expected.tables, ...moreTables].sort();
    const proxy = await engine.db.proxy();
    for (let number = 1; ; number++) {
      await reset(engine);
      const point = await crash(number, proxy);
      if (point === undefined || /VALUES \(2\)/.test(point)) return number - 1;
      try {
        await files.migrator().up();
        expect(await snapshot(engine)).toEqual({ ...expected, tables, history: Object.keys(scripts) });
      } catch (error) {
        throw new Error(`Crashed at statement ${number}, ${point}: ${String(error)}`, { cause: error });
      }
    }
  };

  test('kill -9 at every statement: `up` again ends in the same schema and does nothing twice', async () => {
    const points = await crashEverywhere(async (number, proxy) => {
      const armed = proxy.arm(new Nth(number, { only: OF_THE_FILE }), { action: 'hold' }, { times: 1 });
      const child = program.up(options(proxy.url(engine.url)));
      const fired = await Promise.race([armed.fired, child.ended.then(() => undefined)]);
      child.kill();
      await child.ended;
      armed.disarm();
      return fired?.text;
    });
    expect(points).toBeGreaterThanOrEqual(atLeast.kills);
  }, 300_000);

  test.each(faults)(
    'the connection is lost at any statement, our own as well, %s',
    async (_, fault) => {
      const points = await crashEverywhere(async (number, proxy) => {
        const armed = proxy.arm(new Nth(number, { from: first }), fault, { times: 1 });
        await files
          .migrator(options(proxy.url(engine.url)))
          .up()
          .catch(() => undefined);
        armed.disarm();
        return armed.hits[0]?.text;
      });
      expect(points).toBeGreaterThanOrEqual(atLeast.losses);
    },
    300_000,
  );
}

async function reset(engine: Engine): Promise<void> {
  if (engine.driver === 'pg') {
    await engine.query('DROP SCHEMA public CASCADE');
    await engine.query('CREATE SCHEMA public');
    return;
  }
  const tables = await engine.query(
    'SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()',
  );
  for (const { name } of tables) await engine.query(`DROP TABLE \`${String(name)}\``);
}

const expected = {
  tables: ['a', 'd'],
  columns: ['id', 'n'],
  a: [2, 2],
  d: [1, 2],
  index: 1,
  journal: 0,
};

/** What must be the same whatever happened on the way there. */
async function snapshot(engine: Engine): Promise<unknown> {
  const names = async (sql: string): Promise<unknown[]> => (await engine.query(sql)).map(({ name }) => name);
  const index =
    engine.driver === 'pg'
      ? "SELECT count(*)::int AS name FROM pg_index WHERE indexrelid = 'a_n'::regclass AND indisvalid"
      : "SELECT count(*) AS name FROM information_schema.statistics WHERE table_schema = DATABASE() AND index_name = 'a_n'";
  const journal = await engine
    .query('SELECT count(*) AS name FROM holdfast_migration_journal')
    .catch(() => [{ name: 0 }]);
  return {
    tables: await engine.tables(),
    columns: Object.keys((await engine.query('SELECT * FROM a'))[0] ?? {}),
    a: await names('SELECT n AS name FROM a ORDER BY id'),
    d: await names('SELECT id AS name FROM d ORDER BY id'),
    index: Number((await names(index))[0]),
    history: await names(
      'SELECT script AS name FROM holdfast_schema_history WHERE success ORDER BY installed_rank',
    ),
    journal: Number(journal[0]!['name']),
  };
}
