import type { Pool, PoolConfig } from 'pg';
import { currentTransaction, managePool, runInTransaction, unmanagePool } from 'holdfast';
import type { TransactionOptions } from 'holdfast';
import type { FaultProxy, SeenStatement } from '../harness/fault-proxy.js';
import { useDatabase } from '../harness/database.js';
import { everyWay, expectCleanPool, labelsIn, withSqlState } from './ways-in.js';
import type { Work } from './ways-in.js';

const db = useDatabase();

let proxy: FaultProxy;
beforeEach(async () => {
  await db.truncate();
  proxy = await db.proxy();
});

/** A transaction that writes asks for its id, in front of the first write or of COMMIT, which costs no flight. */
const ID = /^SELECT pg_current_xact_id/;

const ADD = "INSERT INTO entry (label) VALUES ('added')";

/** The statements of each flight, shortened to their first words. */
function flights(statements: readonly SeenStatement[] = proxy.statements): string[][] {
  const grouped = new Map<number, string[]>();
  for (const { flight, text } of statements) {
    if (ID.test(text)) continue;
    const group = grouped.get(flight) ?? [];
    group.push(/^(INSERT|SELECT|UPDATE)\b/.exec(text)?.[0] ?? text);
    grouped.set(flight, group);
  }
  return [...grouped.values()];
}

const commitFlight = ['COMMIT'];

describe.each(everyWay)('BEGIN travels with the first statement: $name', ({ way, opening }) => {
  let work: Work;
  beforeEach(async () => {
    work = await way.start(db, { url: proxy.url(db.url) });
    await work.pid();
    proxy.forget();
  });

  test('one statement: one flight for it and BEGIN, one for COMMIT', async () => {
    await opening.run(() => work.insert('one'));

    expect(flights()).toEqual([['BEGIN', 'INSERT'], commitFlight]);
    expect(await labelsIn(db)).toEqual(['one']);
  });

  test('two statements and a rollback: three flights', async () => {
    const outcome = opening.run(async () => {
      await work.insert('one');
      await work.insert('two');
      throw new Error('undo');
    });

    await expect(outcome).rejects.toThrow('undo');
    expect(flights()).toEqual([['BEGIN', 'INSERT'], ['INSERT'], ['ROLLBACK']]);
    expect(await labelsIn(db)).toEqual([]);
  });

  test.each<[TransactionOptions, string]>([
    [{ isolationLevel: 'SERIALIZABLE' }, 'BEGIN ISOLATION LEVEL SERIALIZABLE'],
    [
      { isolationLevel: 'REPEATABLE READ', readOnly: true },
      'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
    ],
    [{ readOnly: true }, 'BEGIN READ ONLY'],
  ])('%o is in BEGIN itself, and in force for the first statement', async (options, begin) => {
    const [row] = await opening.run(
      () =>
        work.query<{ level: string; readonly: string }>(
          "SELECT current_setting('transaction_isolation') AS level, current_setting('transaction_read_only') AS readonly",
        ),
      options,
    );

    expect(flights()).toEqual([[begin, 'SELECT'], commitFlight]);
    expect(row).toEqual({
      level: (options.isolationLevel ?? 'READ COMMITTED').toLowerCase(),
      readonly: options.readOnly ? 'on' : 'off',
    });
  });

  test('a READ ONLY transaction cannot write, not even in its first statement', async () => {
    await expect(opening.run(() => work.insert('no'), { readOnly: true })).rejects.toEqual(
      withSqlState('25006'),
    );
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(work.pool, db);
  });

  test('a method without statements sends nothing and borrows nothing', async () => {
    const borrowed: unknown[] = [];
    work.pool.on('acquire', (client) => borrowed.push(client));
    const depth = await opening.run(async () => {
      await opening.run(async () => undefined, { propagation: 'NESTED' });
      await opening.run(async () => undefined, { propagation: 'REQUIRES_NEW' });
      return currentTransaction()?.depth;
    });
    await expect(opening.run(() => Promise.reject(new Error('early')))).rejects.toThrow('early');

    expect(depth).toBe(1);
    expect(borrowed).toEqual([]);
    expect(proxy.statements).toEqual([]);
  });

  test('SAVEPOINT and RELEASE travel too: a nested call costs no flight of its own', async () => {
    await opening.run(async () => {
      await work.insert('outer');
      await opening.run(() => work.insert('nested'), { propagation: 'NESTED' });
      await work.insert('after');
    });

    const [begin, nested, after, commit, ...more] = flights();
    expect([begin, commit, more]).toEqual([['BEGIN', 'INSERT'], commitFlight, []]);
    expect(nested).toEqual([expect.stringMatching(/^SAVEPOINT /), 'INSERT']);
    expect(after).toEqual([expect.stringMatching(/^RELEASE SAVEPOINT /), 'INSERT']);
    expect(await labelsIn(db)).toEqual(['outer', 'nested', 'after']);
  });

  test('a nested call that comes first: BEGIN, SAVEPOINT and its statement are one flight', async () => {
    await opening.run(() => opening.run(() => work.insert('nested'), { propagation: 'NESTED' }));

    expect(flights()[0]).toEqual(['BEGIN', expect.stringMatching(/^SAVEPOINT /), 'INSERT']);
    expect(await labelsIn(db)).toEqual(['nested']);
  });
});

describe.each<[string, PoolConfig]>([
  ['a pool', {}],
  ['a pool in pipeline mode', { pipeline: true } as PoolConfig],
])('the first statement through %s', (_, config) => {
  let pool: Pool;
  beforeEach(() => {
    pool = db.pool({ max: 1, ...config, connectionString: proxy.url(db.url) });
    const managed = managePool(pool);
    db.defer(() => unmanagePool(managed));
  });

  test.each<[string, string[], string | undefined]>([
    [
      'reads ask for no id',
      ['SELECT 1 AS one', 'WITH two AS (SELECT 2) TABLE two', 'SHOW timezone'],
      undefined,
    ],
    ['the first write asks for it, once', ['SELECT 1', ADD, ADD], 'INSERT'],
    ['comments in front of it hide no write', [`/* a */ -- b\n ${ADD}`], 'INSERT'],
    [
      'a write inside WITH: COMMIT asks',
      [`WITH added AS (${ADD} RETURNING id) SELECT id FROM added`],
      'COMMIT',
    ],
    ['SELECT INTO: COMMIT asks', ['SELECT 1 AS one INTO TEMPORARY copied'], 'COMMIT'],
    ['several statements in one text: COMMIT asks', [`SELECT 1; ${ADD}`], 'COMMIT'],
    ['DDL: COMMIT asks', ['CREATE TABLE made (id integer)', 'DROP TABLE made'], 'COMMIT'],
  ])("%s, so that COMMIT's outcome can be looked up", async (__, statements, asker) => {
    await pool.query('SELECT 0');
    proxy.forget();
    await runInTransaction(async () => {
      for (const text of statements) await pool.query(text);
    });

    const askers = proxy.texts.filter((_text, index) => ID.test(proxy.texts[index - 1] ?? ''));
    const kinds = askers.map((text) => ['INSERT', 'COMMIT'].find((word) => text.includes(word)));
    expect(kinds).toEqual(asker === undefined ? [] : [asker]);
    await expectCleanPool(pool, db);
  });

  test('a named statement, time after time on one connection: parsed once, and from then on in one flight', async () => {
    const add = (label: string) =>
      pool.query({ name: 'add', text: 'INSERT INTO entry (label) VALUES ($1)', values: [label] });
    for (const label of ['one', 'two', 'three']) await runInTransaction(() => add(label));

    const second = proxy.statements.filter(({ text }) => text === 'BEGIN')[1]!;
    expect(flights(proxy.statements.slice(proxy.statements.indexOf(second)))).toEqual([
      ['BEGIN', 'INSERT'],
      commitFlight,
      ['BEGIN', 'INSERT'],
      commitFlight,
    ]);
    expect(await labelsIn(db)).toEqual(['one', 'two', 'three']);
    await expectCleanPool(pool, db);
  });

  test('a named statement that fails to parse is parsed anew when its table exists', async () => {
    const add = () => pool.query({ name: 'late', text: 'INSERT INTO late (id) VALUES ($1)', values: [1] });

    await expect(runInTransaction(add)).rejects.toMatchObject({ code: '42P01' });
    await db.query('CREATE TABLE late (id integer)');
    await runInTransaction(add);
    expect(await db.query('SELECT id FROM late')).toEqual([{ id: 1 }]);
    await db.query('DROP TABLE late');
  });

  test('one name for two texts is refused, and the transaction is left clean', async () => {
    const named = (text: string) => pool.query({ name: 'same', text });
    await runInTransaction(() => named('SELECT 1 AS one'));

    await expect(runInTransaction(() => named('SELECT 2 AS two'))).rejects.toThrow('must be unique');
    await expectCleanPool(pool, db);
  });

  test('a value that cannot be sent: the statement fails before it is executed, the transaction can go on', async () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    await runInTransaction(async () => {
      await expect(pool.query('INSERT INTO entry (label) VALUES ($1)', [circular])).rejects.toThrow(
        'circular',
      );
      await pool.query('INSERT INTO entry (label) VALUES ($1)', ['second']);
    });

    expect(await labelsIn(db)).toEqual(['second']);
    await expectCleanPool(pool, db);
  });

  test('results are what they are without a transaction: rows, fields, count, command', async () => {
    const shape = async (text: string, values?: unknown[]) => {
      const { command, rowCount, rows, fields } = await pool.query(text, values);
      return { command, rowCount, rows, fields: fields.map(({ name, dataTypeID }) => [name, dataTypeID]) };
    };
    for (const [text, values] of [
      ['SELECT 1 AS one, NULL AS nothing, now() IS NOT NULL AS sure'],
      ['SELECT $1::int + 1 AS two', [1]],
      ['SELECT 1 AS none WHERE false'],
      ['UPDATE entry SET label = label'],
      ['-- nothing'],
      [';'],
    ] as [string, unknown[]?][]) {
      expect(await runInTransaction(() => shape(text, values))).toEqual(await shape(text, values));
    }
  });

  test('COPY as a text is refused as it is without a transaction, whatever stands in front of it', async () => {
    for (const text of ['COPY entry (label) FROM STDIN', '-- load\nCOPY entry (label) FROM STDIN']) {
      await expect(runInTransaction(() => pool.query(text))).rejects.toThrow('No source stream defined');
    }
    expect(await labelsIn(db)).toEqual([]);
    await expectCleanPool(pool, db);
  });

  test('statements that are asked for at once arrive in order, the first with BEGIN', async () => {
    await runInTransaction(async () => {
      await Promise.all(
        ['a', 'b', 'c'].map((label) => pool.query('INSERT INTO entry (label) VALUES ($1)', [label])),
      );
    });

    expect(flights()[0]).toEqual(['BEGIN', 'INSERT']);
    expect(await labelsIn(db)).toEqual(['a', 'b', 'c']);
    await expectCleanPool(pool, db);
  });
});
