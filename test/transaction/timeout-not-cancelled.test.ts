import { managePool, runInTransaction, unmanagePool } from 'holdfast';
import type { Connection } from 'mysql2/promise';
import QueryStream from 'pg-query-stream';
import { startMariadbPool, startMysqlPool } from '../conformance/mysql-pools.js';
import { failureOf } from '../conformance/observing.js';
import { useDatabase } from '../harness/database.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { until } from './entries.js';
import { useHandLimit, whenWaitingFor } from './hand-limit.js';
import { useLog } from './log.js';

/** What `TransactionTimeoutError` says of what ran on the server is what was seen of it. */
const mysql = useMysqlDatabase();
const postgres = useDatabase();
useLog();
const limit = useHandLimit();

const NOT_CANCELLED =
  /What ran on the server could not be cancelled within 1000 ms: the connection was closed, and the server may go on, and keep the locks, until the statement ends; then it rolls back; statements that the method still sends are refused\.$/;
const CANCELLED =
  /What ran on the server was cancelled and the transaction is rolled back; statements that the method still sends are refused\.$/;
const CLOSED =
  /Its connection was closed: the server rolls the transaction back when it notices, .* refused\.$/;

describe('MySQL', () => {
  const WAIT = `SELECT GET_LOCK('gate', 60)`;
  let other: Connection;
  // The server may list the other one's statement for a moment after its answer.
  const waiting = async (): Promise<number[]> =>
    (await mysql.sessions())
      .filter(({ id, query }) => query === WAIT && id !== other.threadId)
      .map(({ id }) => id);
  const passOnceItWaits = async (): Promise<void> => {
    await until(async () => (await waiting()).length === 1);
    limit.pass();
  };
  beforeEach(async () => {
    other = await mysql.connection();
    await other.query(WAIT);
  });
  /** The url of a user who may have one connection. */
  const oneConnection = async (): Promise<string> => {
    const url = new URL(mysql.url);
    await mysql.query(`CREATE OR REPLACE USER single@'%' IDENTIFIED BY 'single' WITH MAX_USER_CONNECTIONS 1`);
    await mysql.query(`GRANT ALL ON \`${url.pathname.slice(1)}\`.* TO single@'%'`);
    mysql.defer(async () => {
      for (const id of await waiting()) await mysql.query(`KILL ${id}`);
      await mysql.query(`DROP USER single@'%'`);
    });
    return Object.assign(url, { username: 'single', password: 'single' }).href;
  };

  test('mysql2, whose KILL finds no connection: the statement goes on, and the error says so', async () => {
    const { pool } = startMysqlPool(mysql, { url: await oneConnection(), max: 1 });
    const failure = failureOf(runInTransaction(() => pool.query(WAIT), { timeoutMs: limit.timeoutMs }));
    await passOnceItWaits();
    const error = await failure;
    expect(await waiting()).toHaveLength(1);
    expect(error).toMatchObject({
      code: 'TRANSACTION_TIMEOUT',
      message: expect.stringMatching(NOT_CANCELLED),
    });
    expect(error.stack).toContain('could not be cancelled');
  });

  test('mysql2, whose KILL arrives: it was cancelled', async () => {
    const { pool } = startMysqlPool(mysql);
    const failure = failureOf(runInTransaction(() => pool.query(WAIT), { timeoutMs: limit.timeoutMs }));
    await passOnceItWaits();
    const error = await failure;
    expect(await waiting()).toEqual([]);
    expect(error.message).toMatch(CANCELLED);
    expect(error.stack).toContain('was cancelled');
  });

  test('an inner call that is told at once holds the same error: it says what came of it when the outer one is told', async () => {
    const { pool } = startMysqlPool(mysql);
    let inner: Error | undefined;
    const outer = runInTransaction(async () => {
      const failure = failureOf(runInTransaction(() => pool.query(WAIT), { timeoutMs: limit.timeoutMs }));
      await passOnceItWaits();
      inner = await failure;
      expect(inner.message).toMatch(/What runs on the server is cancelled and the transaction rolled back; /);
      throw inner;
    });
    expect(await failureOf(outer)).toBe(inner);
    expect(inner!.message).toMatch(CANCELLED);
  });

  test.each([
    ['with connections to spare', false],
    ['whose user may have one', true],
  ])('mariadb, %s: its connection was closed, and no more is claimed', async (_, isSingle) => {
    const { pool } = startMariadbPool(mysql, isSingle ? { url: await oneConnection(), max: 1 } : {});
    const failure = failureOf(runInTransaction(() => pool.query(WAIT), { timeoutMs: limit.timeoutMs }));
    await passOnceItWaits();
    const error = await failure;
    expect(error).toMatchObject({ code: 'TRANSACTION_TIMEOUT', message: expect.stringMatching(CLOSED) });
  });
});

describe('PostgreSQL', () => {
  test('a connection that was cut off before: it was closed, and no more is claimed', async () => {
    const proxy = await postgres.proxy();
    const pool = postgres.pool({ connectionString: proxy.url(postgres.url) });
    pool.on('error', () => undefined);
    const managed = managePool(pool);
    postgres.defer(() => unmanagePool(managed));
    const call = runInTransaction(
      async () => {
        await pool.query('SELECT 1');
        await proxy.cut();
        await whenWaitingFor(/had been lost/);
        limit.pass();
        await new Promise(() => undefined);
      },
      { timeoutMs: limit.timeoutMs },
    );
    expect((await failureOf(call)).message).toMatch(CLOSED);
  });

  test('a row stream that nobody reads on is no statement that goes on', async () => {
    const pool = postgres.pool();
    const managed = managePool(pool);
    postgres.defer(() => unmanagePool(managed));
    const call = runInTransaction(
      async () => {
        const client = await pool.connect();
        const rows = client.query(new QueryStream('SELECT generate_series(1, 1000)', [], { batchSize: 10 }));
        rows.on('error', () => undefined);
        await until(async () => rows.readableLength > 0 || rows.read() !== null);
        limit.pass();
        await new Promise(() => undefined);
      },
      { timeoutMs: limit.timeoutMs },
    );
    expect((await failureOf(call)).message).not.toMatch(/could not be cancelled/);
  });

  test('no request to cancel comes through: the statement goes on, and the error says so', async () => {
    const pool = postgres.pool({ max: 1 });
    const managed = managePool(pool);
    postgres.defer(() => unmanagePool(managed));
    const running = () =>
      postgres.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()`,
      );
    const call = runInTransaction(
      async () => {
        const client = await pool.connect();
        // As behind a pooler that drops it: it names a session that does not exist.
        (client as unknown as { processID: number }).processID = 1;
        await pool.query('SELECT pg_sleep(30)');
      },
      { timeoutMs: limit.timeoutMs },
    );
    const failure = failureOf(call);
    await until(async () => (await running()).length === 1);
    limit.pass();
    const error = await failure;
    expect(error).toMatchObject({
      code: 'TRANSACTION_TIMEOUT',
      message: expect.stringMatching(NOT_CANCELLED),
    });
    const left = await running();
    for (const { pid } of left) await postgres.query('SELECT pg_terminate_backend($1)', [pid]);
    expect(left).toHaveLength(1);
  });
});
