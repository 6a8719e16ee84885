import { createPool, type Pool as MysqlPool } from 'mysql2/promise';
import type { Pool as PgPool } from 'pg';
import { managePool, runInTransaction, unmanagePool } from 'holdfast';
import { useDatabase } from '../harness/database.js';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';
import { until } from '../transaction/entries.js';
import { useLog } from '../transaction/log.js';

const postgres = useDatabase();
const mysql = useMysqlDatabase();
useLog();

type Name = 'postgres' | 'mysql';
const ORDERS: readonly (readonly [Name, Name])[] = [
  ['postgres', 'mysql'],
  ['mysql', 'postgres'],
];
const CHECK = /^(?:SET CONSTRAINTS|DO 0)/;
const NOTHING = { postgres: [], mysql: [] };
const BOTH = { postgres: ['row'], mysql: ['row'] };

let pools: { postgres: PgPool; mysql: MysqlPool };
let proxies: Record<Name, FaultProxy>;
beforeEach(async () => {
  await postgres.truncate();
  await mysql.query('DELETE FROM entry');
  proxies = { postgres: await postgres.proxy(), mysql: await mysql.proxy() };
  pools = {
    postgres: postgres.pool({ connectionString: proxies.postgres.url(postgres.url) }),
    mysql: createPool(proxies.mysql.url(mysql.url)),
  };
  const managed = [
    managePool(pools.postgres, { name: 'postgres' }),
    managePool(pools.mysql, { name: 'mysql' }),
  ];
  mysql.defer(async () => {
    managed.forEach(unmanagePool);
    await pools.mysql.end();
  });
});

const SELECT = 'SELECT label FROM entry ORDER BY id';
async function committed(): Promise<Record<Name, string[]>> {
  const labels = (rows: { label: string }[]): string[] => rows.map(({ label }) => label);
  return { postgres: labels(await postgres.query(SELECT)), mysql: labels(await mysql.query(SELECT)) };
}
/** What ends the session of the transaction that it is called in, as an administrator would. */
async function killer(name: Name): Promise<() => Promise<void>> {
  const { rows } = await pools.postgres.query<{ id: number }>('SELECT pg_backend_pid() AS id');
  const [mysqlRows] = await pools.mysql.query('SELECT connection_id() AS id');
  return async () => {
    if (name === 'postgres') await postgres.query('SELECT pg_terminate_backend($1)', [rows[0]!.id]);
    else await mysql.query(`KILL ${(mysqlRows as { id: number }[])[0]!.id}`);
    await until(async () => proxies[name].openConnections === 0);
  };
}
const write = (dataSource: readonly Name[], then: () => unknown = () => undefined) =>
  runInTransaction(
    async () => {
      await pools.postgres.query(`INSERT INTO entry (label) VALUES ('row')`);
      await pools.mysql.query(`INSERT INTO entry (label) VALUES ('row')`);
      await then();
    },
    { dataSource, name: 'Chat.move' },
  ).catch((error: unknown) => error);

describe.each(ORDERS)('PostgreSQL and MySQL in one method: %s first', (first, second) => {
  const order = [first, second];

  test('commits both, and rolls back both', async () => {
    const no = new Error('no');
    expect(await write(order, () => Promise.reject(no))).toBe(no);
    expect(await committed()).toEqual(NOTHING);
    expect(await write(order)).toBeUndefined();
    expect(await committed()).toEqual(BOTH);
  });

  test.each(order)(
    '%s has lost its connection when the method returns: nothing is committed',
    async (name) => {
      expect(await write(order, () => proxies[name].cut())).toMatchObject({
        code: 'CONNECTION_LOST',
        retryable: true,
      });
      expect(await committed()).toEqual(NOTHING);
    },
  );

  test.each(order)(
    '%s loses its session while the server checks the other: nothing is committed',
    async (name) => {
      const check = proxies[name === 'mysql' ? 'postgres' : 'mysql'].once(CHECK, { action: 'hold' });
      let kill: () => Promise<unknown>;
      const call = write(order, async () => void (kill = await killer(name)));
      await check.fired;
      await until(async () => proxies[name].texts.some((text) => CHECK.test(text)));
      await kill!();
      check.release();
      expect(await call).toMatchObject({ code: 'CONNECTION_LOST', retryable: true });
      expect(await committed()).toEqual(NOTHING);
    },
  );

  test('the second COMMIT is lost: the error names where it is committed, and where that can be or is not', async () => {
    proxies[second].once(/^COMMIT$/, { action: 'cut-before' });
    // MySQL cannot be asked what became of a transaction.
    const [rolledBack, unknown] = second === 'mysql' ? [[], ['mysql']] : [['postgres'], []];
    expect(await write(order)).toMatchObject({
      code: 'PARTIAL_COMMIT',
      committed: [first],
      rolledBack,
      unknown,
    });
    expect(await committed()).toEqual({ ...NOTHING, [first]: ['row'] });
  });
});
