import { useDatabase } from '../harness/database.js';
import { called, nextEvent, poolMaker, poolRows } from './pool-rows.js';

const db = useDatabase();
const ended = 'Cannot use a pool after calling end on the pool';

describe.each(poolRows)('end() of a $row pool', (row) => {
  const make = poolMaker(db, row);

  test.each(['unused', 'used'])('a promise: %s', async (state) => {
    const pool = make();
    if (state === 'used') await pool.query('SELECT 1');
    await pool.end();
    expect([pool.ended, pool.totalCount]).toEqual([true, 0]);
  });

  test.each(['unused', 'used'])('a callback: %s', async (state) => {
    const pool = make();
    if (state === 'used') await pool.query('SELECT 1');
    let returned: unknown = 'nothing yet';
    const [error] = await called((callback) => {
      returned = pool.end(callback as () => void);
    });
    expect(error).toBeUndefined();
    expect(returned).toBeUndefined();
    expect([pool.ended, pool.totalCount]).toEqual([true, 0]);
  });

  test('lets a query() under way finish', async () => {
    const pool = make();
    const query = pool.query('SELECT 1 AS one');
    await pool.end();
    expect(await query).toMatchObject({ rows: [{ one: 1 }] });
  });

  test('waits for a client that is out, which goes on working', async () => {
    const pool = make({ max: 2 });
    const [client, given] = await Promise.all([pool.connect(), pool.connect()]);
    given.release();
    let over = false;
    const ending = pool.end().then(() => (over = true));
    const removed = nextEvent(pool, 'remove');

    expect(await client.query('SELECT 1 AS one')).toMatchObject({ rows: [{ one: 1 }] });
    await removed;
    expect([over, pool.ending, pool.totalCount]).toEqual([false, true, 1]);
    client.release();
    await ending;
    expect(pool.totalCount).toBe(0);
  });

  test('afterwards promises are rejected', async () => {
    const pool = make();
    await pool.end();
    await expect(pool.connect()).rejects.toThrow(ended);
    await expect(pool.query('SELECT 1')).rejects.toThrow(ended);
    await expect(pool.end()).rejects.toThrow('Called end on pool more than once');
  });

  test('afterwards callbacks get the error', async () => {
    const pool = make();
    await pool.end();
    const [connectError] = await called<[Error]>((callback) => pool.connect(callback as () => void));
    const [queryError] = await called<[Error]>((callback) => pool.query('SELECT 1', callback as () => void));
    const [endError] = await called<[Error]>((callback) => pool.end(callback as unknown as () => void));
    expect([connectError.message, queryError.message]).toEqual([ended, ended]);
    expect(endError.message).toBe('Called end on pool more than once');
  });
});
