import { EventEmitter } from 'node:events';
import { createConnection, type Pool, type ResultSetHeader } from 'mysql2/promise';
import { currentTransaction, runInTransaction } from 'holdfast';
import { failureOf } from '../conformance/observing.js';
import { startMysqlPool } from '../conformance/mysql-pools.js';
import { mysqlError, mysqlLabelsIn } from '../conformance/mysql-ways-in.js';
import { useWitness } from '../conformance/witness.js';
import type { FaultProxy } from '../harness/fault-proxy.js';
import { useMysqlDatabase } from '../harness/mysql-database.js';

const db = useMysqlDatabase();
const witness = useWitness();
let proxy: FaultProxy;
let pool: Pool;
beforeEach(async () => {
  await db.truncate();
  proxy = await db.proxy();
  ({ pool } = startMysqlPool(db, { url: proxy.url(db.url), max: 1 }));
});

const insert = (label: string): Promise<[ResultSetHeader, unknown]> =>
  pool.query<ResultSetHeader>('INSERT INTO entry (label) VALUES (?)', [label]);
/** From here on the connection reads several statements in one packet, where holdfast lets it. */
const runOne = (): Promise<unknown> => runInTransaction(() => pool.query('SELECT 1'));

/** Sends on the pool's one connection past holdfast. */
async function sendRaw(send: (connection: RawConnection) => void): Promise<void> {
  const { pool: core } = pool as unknown as {
    pool: { _allConnections: { get(index: number): RawConnection } };
  };
  const connection = core._allConnections.get(0);
  await new Promise<void>((resolve) => {
    const command = Object.assign(new EventEmitter(), {
      onResult: () => {},
      execute(packet: unknown) {
        if (packet) resolve();
        else send(connection);
        return packet !== undefined;
      },
    });
    (Object.getPrototypeOf(connection) as RawConnection).addCommand.call(connection, command);
  });
}

interface RawConnection {
  addCommand(command: object): void;
  _resetSequenceId(): void;
  writePacket(packet: object): void;
}

describe('control statements travel with the query behind them', () => {
  test('START TRANSACTION costs no round trip, on a new connection none more than by itself', async () => {
    const twice = async (): Promise<void> => {
      await insert('a');
      await insert('b');
    };
    await runInTransaction(twice);
    expect(proxy.texts.map((text) => text.slice(0, 6))).toEqual(['START ', 'INSERT', 'INSERT', 'COMMIT']);
    proxy.forget();
    await runInTransaction(twice);
    expect(proxy.texts.map((text) => text.slice(0, 6))).toEqual(['START ', 'INSERT', 'INSERT', 'COMMIT']);
    expect(proxy.flights).toBe(3);
    expect(await mysqlLabelsIn(db)).toEqual(['a', 'b', 'a', 'b']);
  });

  test('SAVEPOINT and RELEASE cost none either', async () => {
    await runOne();
    proxy.forget();
    await runInTransaction(async () => {
      await runInTransaction(() => insert('inner'), { propagation: 'NESTED' });
      await failureOf(
        runInTransaction(
          async () => {
            await insert('undone');
            throw new Error('undo');
          },
          { propagation: 'NESTED' },
        ),
      );
      await insert('outer');
    });
    expect(proxy.texts.map((text) => text.replace(/ INTO.*/, ''))).toEqual([
      'START TRANSACTION',
      'SAVEPOINT holdfast_1',
      'INSERT',
      'RELEASE SAVEPOINT holdfast_1',
      'SAVEPOINT holdfast_2',
      'INSERT',
      'ROLLBACK TO SAVEPOINT holdfast_2',
      'INSERT',
      'COMMIT',
    ]);
    expect(proxy.flights).toBe(5);
    expect(await mysqlLabelsIn(db)).toEqual(['inner', 'outer']);
  });

  test('READ ONLY and an isolation level hold', async () => {
    await runOne();
    const options = { readOnly: true, isolationLevel: 'READ COMMITTED' } as const;
    await runInTransaction(async () => {
      expect(await failureOf(insert('never'))).toMatchObject({ errno: 1792 });
    }, options);
    expect(await mysqlLabelsIn(db)).toEqual([]);
  });

  test('what the query answers is as without', async () => {
    await runOne();
    const [result] = await runInTransaction(() => insert('a'));
    const [expected] = await insert('b');
    expect(result).toEqual({ ...expected, insertId: result.insertId, serverStatus: result.serverStatus });
    const select = 'SELECT label, id FROM entry WHERE label = ?';
    const [rows, fields] = await runInTransaction(() => pool.query(select, ['a']));
    expect(rows).toEqual([{ label: 'a', id: result.insertId }]);
    expect(fields.map(({ name }) => name)).toEqual(['label', 'id']);
    const [sets] = await runInTransaction(() => pool.query({ sql: select, rowsAsArray: true }, ['a']));
    expect(sets).toEqual([['a', result.insertId]]);
  });

  test('a query that fails is told by its own text, and the transaction goes on', async () => {
    await runOne();
    await runInTransaction(async () => {
      const error = await failureOf(pool.query('SELECT * FROM nowhere WHERE id = ?', [1]));
      expect(error).toMatchObject({ errno: 1146, sql: 'SELECT * FROM nowhere WHERE id = 1' });
      expect(await failureOf(pool.query('SELECT FROM'))).toEqual(mysqlError('ER_PARSE_ERROR'));
      await insert('kept');
    });
    await runInTransaction(async () => {
      expect(await failureOf(pool.query('SELECT FROM'))).toMatchObject({ errno: 1064, sql: 'SELECT FROM' });
      await insert('kept too');
      expect(currentTransaction()).toBeDefined();
    });
    expect(await mysqlLabelsIn(db)).toEqual(['kept', 'kept too']);
  });

  test('the server stops at the first statement of a packet that fails: on that row 22 relies', async () => {
    const connection = await createConnection({ uri: db.url, multipleStatements: true });
    const sql = "SAVEPOINT a;RELEASE SAVEPOINT b;INSERT INTO entry (label) VALUES ('never')";
    expect(await failureOf(connection.query(sql))).toMatchObject({ errno: 1305 });
    expect(await mysqlLabelsIn(db)).toEqual([]);
    await connection.end();
  });

  test('a server that reads one statement only gets each by itself, and every query is executed once', async () => {
    await runOne();
    await sendRaw((connection) => {
      connection._resetSequenceId();
      const buffer = Buffer.from([3, 0, 0, 0, 0x1b, 1, 0]);
      connection.writePacket({ buffer, length: () => buffer.length, writeHeader: () => {} });
    });
    await runInTransaction(() => insert('a'));
    proxy.forget();
    const boom = new Error('boom');
    const undone = runInTransaction(async () => {
      await insert('b');
      throw boom;
    });
    expect(await failureOf(undone)).toBe(boom);
    expect(proxy.flights).toBe(3);
    expect(await mysqlLabelsIn(db)).toEqual(['a']);
    expect(witness.escaped).toEqual([]);
  });
});

describe('an application that did not ask for several statements in one text does not get them', () => {
  const several = "INSERT INTO entry (label) VALUES ('a'); DELETE FROM entry";

  test('outside a transaction', async () => {
    await runOne();
    expect(await failureOf(pool.query(several))).toEqual(mysqlError('ER_PARSE_ERROR'));
  });

  test('on a connection that is lent', async () => {
    await runOne();
    const connection = await pool.getConnection();
    expect(await failureOf(connection.query(several))).toEqual(mysqlError('ER_PARSE_ERROR'));
    expect(await failureOf(connection.query(several))).toEqual(mysqlError('ER_PARSE_ERROR'));
    connection.release();
  });

  test('as the first statement of a transaction', async () => {
    await runOne();
    await runInTransaction(async () => {
      expect(await failureOf(pool.query(several))).toEqual(mysqlError('ER_PARSE_ERROR'));
      await insert('kept');
    });
    expect(await mysqlLabelsIn(db)).toEqual(['kept']);
  });

  test('as a later one', async () => {
    await runInTransaction(async () => {
      await insert('kept');
      expect(await failureOf(pool.query(several))).toEqual(mysqlError('ER_PARSE_ERROR'));
      await insert('kept too');
    });
    expect(await mysqlLabelsIn(db)).toEqual(['kept', 'kept too']);
  });

  describe.each(['utf8mb4', 'latin1'])('whatever becomes a semicolon in %s', (charset) => {
    // Node writes the second one as a semicolon where the connection is of latin1.
    test.each([';', '\u013b', '\uff1b'])('%j', async (semicolon) => {
      await insert('kept');
      const { pool: other } = startMysqlPool(db, { max: 1, name: 'other', charset });
      const text = `SELECT 1 ${semicolon} DELETE FROM entry`;
      const run = <T>(work: () => Promise<T>): Promise<T> => runInTransaction(work, { dataSource: 'other' });
      for (const call of [() => other.query(text), () => run(() => other.query(text))]) {
        await run(() => other.query('SELECT 1'));
        expect(await failureOf(call())).toEqual(mysqlError('ER_PARSE_ERROR'));
      }
      expect(await mysqlLabelsIn(db)).toEqual(['kept']);
    });
  });

  test('after it was in the way, START TRANSACTION goes by itself for a while', async () => {
    await runOne();
    await runInTransaction(() => insert('a;b'));
    const flights = async (): Promise<number> => {
      proxy.forget();
      await runOne();
      return proxy.flights;
    };
    expect(await flights()).toBe(3);
    for (let count = 0; count < 100; count++) await runOne();
    await flights();
    expect(await flights()).toBe(2);
  });

  test('a semicolon in a value is a value', async () => {
    await runOne();
    await runInTransaction(async () => {
      await insert('a;b');
      await insert("'; DELETE FROM entry; -- ");
    });
    await insert('c;d');
    expect(await mysqlLabelsIn(db)).toEqual(['a;b', "'; DELETE FROM entry; -- ", 'c;d']);
  });

  test('one that did ask for it has it, in a transaction as well', async () => {
    const { pool: other } = startMysqlPool(db, { max: 1, name: 'several', multipleStatements: true });
    await runInTransaction(
      async () => {
        const [sets] = await other.query('SELECT 1 AS one; SELECT 2 AS two');
        expect(sets).toEqual([[{ one: 1 }], [{ two: 2 }]]);
        expect((await other.query('SELECT 3 AS three; SELECT 4'))[0]).toHaveLength(2);
      },
      { dataSource: 'several' },
    );
  });
});
