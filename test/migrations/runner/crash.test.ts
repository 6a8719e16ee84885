import type { Fault } from '../../harness/faults.js';
import type { FaultProxy } from '../../harness/fault-proxy.js';
import { useChildProgram } from './child-program.js';
import { type Engine, useMariadb, usePostgres, useWorkspace } from './workspace.js';

/** Matches the statement of that number, counted from the one that matches `first`. */
class Nth extends RegExp {
  #seen = 0;
  readonly #number: number;
  readonly #first: RegExp;

  constructor(number: number, first: RegExp) {
    super('');
    this.#number = number;
    this.#first = first;
  }

  override [Symbol.search](text: string): number {
    if (this.#seen > 0 || this.#first.test(text)) this.#seen++;
    return this.#seen === this.#number ? 0 : -1;
  }
}

const FROM_THE_LOCK_ON = /pg_try_advisory_lock|GET_LOCK/;
/** What comes before is the same in every case. */
const FROM_THE_JOURNAL_ON = /FROM\s+\S*holdfast_migration_journal/;

const IN_ONE_TRANSACTION = `
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

const WITH_ONE_ALONE = IN_ONE_TRANSACTION.replace('CREATE INDEX', 'CREATE INDEX CONCURRENTLY');

const EACH_ALONE = `-- no-transaction${IN_ONE_TRANSACTION}`;

const ON_MARIADB = IN_ONE_TRANSACTION.replace('GENERATED ALWAYS AS IDENTITY', 'AUTO_INCREMENT').replace(
  'ALTER TABLE c RENAME TO d',
  'RENAME TABLE c TO d',
);

const cases = [
  ['PostgreSQL, in one transaction', usePostgres, IN_ONE_TRANSACTION, FROM_THE_LOCK_ON],
  ['PostgreSQL, with a statement that stands alone', usePostgres, WITH_ONE_ALONE, FROM_THE_JOURNAL_ON],
  ['PostgreSQL, without a transaction', usePostgres, EACH_ALONE, FROM_THE_JOURNAL_ON],
  ['MariaDB by mysql2', () => useMariadb('mysql2'), ON_MARIADB, FROM_THE_JOURNAL_ON],
] as const;

const faults = [
  ['before the server has a statement', { action: 'hold' }],
  ['after the server has run a statement, before its answer', { action: 'cut-after' }],
] as const satisfies readonly (readonly [string, Fault])[];

describe.each(cases)('kill -9 on %s', (_, use, sql, first) => {
  const engine: Engine = use();
  const files = useWorkspace(engine);
  const program = useChildProgram();

  test.each(faults)(
    '%s: wherever it was, `up` again ends in the same schema and does nothing twice',
    async (__, fault) => {
      let proxy: FaultProxy | undefined;
      const points: string[] = [];
      for (let number = 1; ; number++) {
        await reset(engine);
        files.write({ 'V1__ten.sql': sql, 'V2__after.sql': 'INSERT INTO d VALUES (2)' });
        proxy ??= await engine.db.proxy();
        const armed = proxy.arm(new Nth(number, first), fault, { times: 1 });
        const child = program.up({
          url: proxy.url(engine.url),
          driver: engine.driver,
          directories: ['.'],
          cwd: files.folder,
        });
        const fired = await Promise.race([armed.fired, child.ended.then(() => undefined)]);
        child.kill();
        await child.ended;
        armed.disarm();
        if (fired === undefined || /VALUES \(2\)/.test(fired.text)) break;
        if (process.env.DBG) process.stderr.write(`${number} ${fired.text.slice(0, 50)}\n`);
        points.push(fired.text.slice(0, 60).replace(/\s+/g, ' '));
        try {
          await files.migrator().up();
          expect(await snapshot(engine)).toEqual(expected);
        } catch (error) {
          throw new Error(`Killed at statement ${number}, ${fired.text}: ${String(error)}`, { cause: error });
        }
      }
      expect(points.length).toBeGreaterThan(10);
    },
    600_000,
  );
});

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
  history: ['V1__ten.sql', 'V2__after.sql'],
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
