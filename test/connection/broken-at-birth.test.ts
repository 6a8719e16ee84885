import type { Pool, PoolClient } from 'pg';
import { type ManagedPool, managePool, runInTransaction, unmanagePool } from 'holdfast';
import { failureOf, until } from '../conformance/observing.js';
import { useWitness } from '../conformance/witness.js';
import { useDatabase } from '../harness/database.js';
import type { FaultProxy } from '../harness/fault-proxy.js';

const db = useDatabase();
const witness = useWitness();
const farewell = { sqlstate: '57P01', message: 'terminating connection due to administrator command' };
let proxy: FaultProxy;
let pool: Pool;
let managed: ManagedPool;

beforeEach(async () => {
  await db.truncate();
  proxy = await db.proxy();
  pool = db.pool({ max: 1, connectionString: proxy.url(db.url) });
  managed = managePool(pool);
  db.defer(() => unmanagePool(managed));
});

type Query = () => Promise<unknown>;

const throughCallback: Query = () =>
  new Promise((resolve, reject) => {
    pool.connect((error, client, done) => {
      if (error || !client) return reject(error ?? new Error('no client'));
      client.on('error', () => undefined);
      client.query('SELECT 1', (failure, result) => {
        done(failure);
        if (failure) reject(failure);
        else resolve(result);
      });
    });
  });

const throughPromise: Query = async () => {
  const client = await pool.connect();
  client.on('error', () => undefined);
  await client.query('SELECT 1').finally(() => client.release(true));
};

const outside: readonly (readonly [name: string, run: Query])[] = [
  ['pool.query()', () => pool.query('SELECT 1')],
  ['pool.connect(callback)', throughCallback],
  ['await pool.connect()', throughPromise],
];

describe('a new connection is terminated in the packet that says that it is ready', () => {
  test.each(outside)('%s: rejects with what the server said', async (_, run) => {
    proxy.farewell = farewell;
    expect(await failureOf(run())).toMatchObject({ code: '57P01' });
    await expectUnharmed(run);
  });

  test.each(outside)('%s while somebody observes: the same', async (_, run) => {
    const stop = managed.observe({ acquired: () => undefined });
    proxy.farewell = farewell;
    expect(await failureOf(run())).toMatchObject({ code: '57P01' });
    stop();
    await expectUnharmed(run);
  });

  test.each(outside)(
    '%s in a transaction: the connection is lost, another attempt may do',
    async (_, run) => {
      proxy.farewell = farewell;
      expect(await failureOf(runInTransaction(run))).toMatchObject({
        code: 'CONNECTION_LOST',
        retryable: true,
        cause: { code: '57P01' },
      });
      await expectUnharmed(() => runInTransaction(run));
    },
  );

  test('while pg-pool prepares it: the transaction is told that its connection is lost', async () => {
    pool.on('error', () => undefined);
    let broken = false;
    Object.assign(pool.options, {
      onConnect: async (client: PoolClient) => {
        if (broken) return;
        broken = true;
        const gone = new Promise((resolve) => client.once('end', resolve as () => void));
        await failureOf(client.query('SELECT pg_terminate_backend(pg_backend_pid())'));
        await gone;
      },
    });
    expect(await failureOf(runInTransaction(() => pool.query('SELECT 1')))).toMatchObject({
      code: 'CONNECTION_LOST',
      retryable: true,
    });
    await expectUnharmed(() => pool.query('SELECT 1'));
  });
});

/** The process goes on, nothing is lent, and the next connection is a good one. */
async function expectUnharmed(run: Query): Promise<void> {
  await until('the connection to go', () => pool.totalCount === 0);
  expect(managed.leases()).toEqual([]);
  expect(witness.escaped).toEqual([]);
  await proxy.heal();
  await run();
  expect(witness.escaped).toEqual([]);
}

describe('a connection that breaks once it is handed over', () => {
  const killIdle = async (): Promise<void> => {
    const [session] = await db.sessions();
    await db.query('SELECT pg_terminate_backend($1)', [session!.pid]);
  };
  const connectStyles: readonly (readonly [name: string, connect: () => Promise<PoolClient>])[] = [
    ['await pool.connect()', () => pool.connect()],
    [
      'pool.connect(callback)',
      () =>
        new Promise((resolve, reject) =>
          pool.connect((error, client) => (client ? resolve(client) : reject(error ?? new Error('none')))),
        ),
    ],
  ];

  test.each(connectStyles)("%s: only its holder's listener hears of it", async (_, connect) => {
    const client = await connect();
    const heard: Error[] = [];
    client.on('error', (error) => heard.push(error));
    await killIdle();
    await until('the error', () => heard.length > 0);
    client.release(true);
    expect(heard[0]).toMatchObject({ code: '57P01' });
    expect(witness.escaped).toEqual([]);
  });

  test.each(connectStyles)(
    '%s: an error that its holder does not listen for is uncaught, as without holdfast',
    async (_, connect) => {
      const client = await connect();
      await new Promise(setImmediate);
      expect(() => client.emit('error', new Error('it broke'))).toThrow('it broke');
      client.release(true);
    },
  );

  test.each(connectStyles)(
    '%s: an error of the same turn reaches the listener that its holder sets in it, once',
    async (_, connect) => {
      const client = await connect();
      const heard: Error[] = [];
      const broke = new Error('it broke');
      const told = new Promise((resolve) => setImmediate(resolve));
      client.emit('error', broke);
      client.on('error', (error) => heard.push(error));
      await told;
      client.release(true);
      expect(heard).toEqual([broke]);
      expect(witness.escaped).toEqual([]);
    },
  );

  test('released and lent again in one turn: the second hand-over hears, the first is over', async () => {
    const first = await pool.connect();
    const asked = pool.connect();
    first.release();
    const second = await asked;
    const heard: Error[] = [];
    const broke = new Error('it broke');
    const told = new Promise((resolve) => setImmediate(resolve));
    second.emit('error', broke);
    second.on('error', (error) => heard.push(error));
    await told;
    second.release(true);
    expect(heard).toEqual([broke]);
  });
});
