import type { Writable } from 'node:stream';
import type { StatementFailedError } from '../../../src/migrations/errors.js';
import type { CopyStatement } from '../../../src/migrations/sql/statement.js';
import { failureOf, statement, statements, useServer } from './drivers.js';

const server = useServer('pg');

beforeEach(() => server.query('CREATE TABLE item (id int PRIMARY KEY, name text)'));
afterEach(() => server.query('DROP TABLE item'));

function copy(data: AsyncIterable<string> | readonly string[], text = 'COPY item FROM stdin'): CopyStatement {
  async function* pieces(): AsyncIterable<string> {
    yield* data;
  }
  return { ...statement(text), kind: 'copy', data: pieces() };
}

describe('COPY FROM stdin', () => {
  test('sends the data behind the statement, between other statements', async () => {
    const session = await server.open();
    await session.query('BEGIN');
    const outcomes = await session.run([
      statement('INSERT INTO item VALUES (0)'),
      copy(['1\tone\n2\tt', 'wo 😀\n', '']),
      statement('DELETE FROM item WHERE id = 0'),
    ]);
    expect(outcomes.map(({ rowCount }) => rowCount)).toEqual([1, 2, 1]);
    await session.query('COMMIT');
    expect(await server.query('SELECT * FROM item ORDER BY id')).toEqual([
      { id: 1, name: 'one' },
      { id: 2, name: 'two 😀' },
    ]);
  });

  test('takes no data at all', async () => {
    const session = await server.open();
    expect(await session.run([copy([])])).toMatchObject([{ rowCount: 0 }]);
  });

  test('waits for the socket: data that is larger than memory is never held', async () => {
    const session = await server.open();
    const piece = `${'x'.repeat(1023)}\n`.repeat(64);
    const { stream } = (session.native as unknown as { connection: { stream: Writable } }).connection;
    let [read, most] = [0, 0];
    async function* pieces(): AsyncIterable<string> {
      for (; read < 500; read++) {
        most = Math.max(most, stream.writableLength);
        yield piece;
      }
    }
    await server.query('CREATE TABLE line (text text)');
    await session.run([copy(pieces(), 'COPY line FROM stdin')]);
    expect(await server.query('SELECT count(*)::int AS n FROM line')).toEqual([{ n: 32_000 }]);
    expect(most).toBeLessThan(256 * 1024);
  });

  test('stops reading at a row that the server refuses', async () => {
    const session = await server.open();
    let read = 0;
    async function* pieces(): AsyncIterable<string> {
      yield '1\tone\nnone\ttwo\n';
      for (; read < 10_000; read++) yield `${read + 2}\t${'x'.repeat(10_000)}\n`;
    }
    const error = await failureOf<StatementFailedError>(
      session.run([statement('SELECT 1'), copy(pieces()), statement('SELECT 2')]),
    );
    expect(error).toMatchObject({ at: 1, message: expect.stringContaining('[22P02]') });
    expect(read).toBeLessThan(10_000);
    expect(await session.query('SELECT count(*) AS n FROM item')).toEqual([{ n: 0 }]);
  });

  test('gives up when the data cannot be read, and says why', async () => {
    const session = await server.open();
    async function* pieces(): AsyncIterable<string> {
      yield '1\tone\n';
      throw new Error('the disk is gone');
    }
    await expect(session.run([copy(pieces())])).rejects.toThrow('the disk is gone');
    expect(await session.query('SELECT count(*) AS n FROM item')).toEqual([{ n: 0 }]);
  });

  test('fails where the statement itself is wrong, and where no data follows', async () => {
    const session = await server.open();
    expect(await failureOf(session.run([copy(['1\n'], 'COPY nope FROM stdin')]))).toMatchObject({
      at: 0,
      message: expect.stringContaining('[42P01]'),
    });
    expect(await failureOf(session.run([statement('COPY item FROM stdin')]))).toMatchObject({
      at: 0,
      message: expect.stringContaining('no data was found behind the COPY statement'),
    });
    expect(await session.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('ends with the connection', async () => {
    const proxy = await server.db.proxy();
    const session = await server.open({ url: proxy.url(server.db.url) });
    async function* pieces(): AsyncIterable<string> {
      yield '1\tone\n';
      await proxy.cut();
      for (let id = 2; ; id++) yield `${id}\t${'x'.repeat(100_000)}\n`;
    }
    const error = await failureOf<StatementFailedError>(session.run([copy(pieces())]));
    expect(error).toMatchObject({ at: 0, outcomeUnknown: true });
  });
});

test('notices are told of the statement that raised them, and never counted as warnings', async () => {
  const session = await server.open();
  await session.query('BEGIN');
  const outcomes = await session.run(
    statements(
      'DROP TABLE IF EXISTS nope',
      'SELECT 1',
      "DO $$ BEGIN RAISE WARNING 'careful'; RAISE NOTICE 'well'; END $$",
      "DO $$ BEGIN FOR i IN 1..1000 LOOP RAISE NOTICE 'row %', i; END LOOP; END $$",
    ),
  );
  await session.query('ROLLBACK');
  expect(outcomes.map(({ warningCount }) => warningCount)).toEqual([0, 0, 0, 0]);
  expect(outcomes[0]!.warnings).toMatchObject([{ code: '00000', level: 'note' }]);
  expect(outcomes[1]!.warnings).toEqual([]);
  expect(outcomes[2]!.warnings).toEqual([
    { code: '01000', level: 'warning', message: 'careful' },
    { code: '00000', level: 'note', message: 'well' },
  ]);
  expect(outcomes[3]!.warnings).toHaveLength(100);
});

test('rows that a migration selects are not kept', async () => {
  const session = await server.open();
  const before = process.memoryUsage().heapUsed;
  const [outcome] = await session.run(statements("SELECT repeat('x', 1000) FROM generate_series(1, 200000)"));
  expect(outcome!.rowCount).toBe(200_000);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(150 * 1024 * 1024);
});

test('a statement that cannot be part of a transaction runs outside of one', async () => {
  const session = await server.open();
  const outcomes = await session.run(
    statements('VACUUM item', 'CREATE INDEX CONCURRENTLY i ON item (name)', 'DROP INDEX CONCURRENTLY i'),
  );
  expect(outcomes).toHaveLength(3);
});

test('a constraint that is checked at COMMIT fails that, and leaves no transaction', async () => {
  const session = await server.open();
  await session.query('ALTER TABLE item ADD parent int REFERENCES item DEFERRABLE INITIALLY DEFERRED');
  await session.query('BEGIN');
  await session.run(statements("INSERT INTO item VALUES (1, 'x', 7)"));
  const error = await failureOf<StatementFailedError>(session.run(statements('COMMIT')));
  expect(error.message).toContain('[23503]');
  expect(session.inTransaction).toBe(false);
});

test('an error inside of a function body points at the statement, not into its text', async () => {
  const session = await server.open();
  await session.query('BEGIN');
  const body = "DO $$ BEGIN PERFORM 1; EXECUTE 'SELECT nope'; END $$";
  const error = await failureOf<StatementFailedError>(session.run(statements('SELECT 1', body, 'SELECT 2')));
  expect(error).toMatchObject({ at: 1, offset: undefined });
});

test('times and integers are read the same where the application has changed the parsers of pg', async () => {
  const { types } = await import('pg');
  const original = types.getTypeParser(1184);
  types.setTypeParser(1184, (value) => `text ${value}`);
  try {
    const session = await server.open();
    expect(
      await session.query(
        "SELECT timestamptz '2026-01-31 12:00:00.25+05:30' AS at, true AS yes, 1.50 AS price",
      ),
    ).toEqual([{ at: new Date('2026-01-31T06:30:00.250Z'), yes: true, price: '1.50' }]);
  } finally {
    types.setTypeParser(1184, original);
  }
});
